"""Lookup of the files that container runtimes keep on the host. Neither a runtime socket nor the API server is needed.

Each runtime has its own folder with a subfolder for each container id, so a container's runtime is found by trying them.
"""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Optional

from telegen.cadvisor.identity.oci import PODMAN, Bundle, parse_docker, parse_oci, parse_storage

MAX_BYTES = 4 << 20
"""Maximum size of a file in bytes. A config.json has about 10,000, the list of a containers/storage about 100,000."""

BACKOFF = (5.0, 300.0)
"""First and last delay in seconds until an unknown container is looked up again; the delay doubles in between."""

_STATES = ("run/containerd", "run/k3s/containerd", "run/k0s/containerd", "var/snap/microk8s/common/run/containerd")
_TASKS = tuple(f"{state}/io.containerd.runtime.{kind}" for state in _STATES for kind in ("v2.task", "v1.linux"))
_STORAGE = "var/lib/containers/storage/overlay-containers"
_DOCKER = "var/lib/docker/containers"

REFRESH = 1.0
"""Seconds for which the list of existing runtime folders is cached."""

Parse = Callable[[bytes, str], Bundle]
Location = tuple[str, str, Parse]
"""Folder with a subfolder for each container, name of the file in it, and its parser."""


class Bundles:
    """Cache of the runtimes' files; each file is read once. Not safe for threads.

    Attributes:
        errors: errors by reason: `malformed`, `too_large`, or the name of an errno.
    """

    def __init__(self, root: str = "/", clock: Callable[[], float] = time.monotonic) -> None:
        """Create an empty cache.

        Args:
            root: the host's `/` as this process sees it.
        """
        self._root, self._clock = root, clock
        self._found: dict[str, Bundle] = {}
        self._missing: dict[str, _Missing] = {}
        self._locations: list[Location] = []
        self._locations_until = float("-inf")
        self._storage: dict[str, tuple[str, str]] = {}
        self._storage_state: tuple[int, ...] = ()
        self.errors: Counter[str] = Counter()

    def find(self, id: str) -> Optional[Bundle]:
        """Return the bundle of a container; None as long as no runtime has one, which is checked again after a delay.

        Args:
            id: 64 hexadecimal digits, as in the name of the cgroup.
        """
        found = self._found.get(id)
        if found:
            return found
        missing = self._missing.get(id)
        if missing and self._clock() < missing.retry_at:
            return None
        found = self._look_up(id)
        if found:
            self._found[id] = found
            self._missing.pop(id, None)
        else:
            delay = min(missing.delay * 2, BACKOFF[1]) if missing else BACKOFF[0]
            # The delay doubles, since a container that stays unknown usually belongs to a runtime without such files.
            self._missing[id] = _Missing(delay, self._clock() + delay)
        return found

    def keep(self, ids: Set[str]) -> None:
        """Drop all other containers."""
        for id in self._found.keys() - ids:
            del self._found[id]
        for id in self._missing.keys() - ids:
            del self._missing[id]

    def _look_up(self, id: str) -> Optional[Bundle]:
        """Read the first file that exists and is well-formed."""
        # PERF: an unknown container costs 2 us, and 10 us for each runtime that exists; 166 us if all folders are tried.
        if self._clock() >= self._locations_until:
            self._locations = [one for one in self._all_locations() if os.path.isdir(os.path.join(self._root, one[0]))]
            self._locations_until = self._clock() + REFRESH
        for folder, name, parse in self._locations:
            content = self._read(f"{folder}/{id}/{name}")
            if content is None:
                continue
            try:
                bundle = parse(content, id)
            except ValueError:
                # Possibly half-written: tried again after the delay.
                self.errors["malformed"] += 1
                continue
            return self._with_storage(bundle, id) if bundle.runtime == PODMAN else bundle
        return None

    def _all_locations(self) -> Iterator[Location]:
        """Yield every location, the most likely first."""
        for tasks in _TASKS:
            yield f"{tasks}/k8s.io", "config.json", parse_oci
        for storage in ("run/containers/storage/overlay-containers", _STORAGE):
            yield storage, "userdata/config.json", parse_oci
        yield _DOCKER, "config.v2.json", parse_docker
        # Last: the bundles of Docker's own containerd lack the names that config.v2.json has.
        for tasks in _TASKS:
            for namespace in self._other_namespaces(tasks):
                yield f"{tasks}/{namespace}", "config.json", parse_oci

    def _other_namespaces(self, tasks: str) -> list[str]:
        """containerd's namespaces other than Kubernetes'."""
        with suppress(OSError):
            return sorted(name for name in os.listdir(os.path.join(self._root, tasks)) if name != "k8s.io")
        return []

    def _with_storage(self, bundle: Bundle, id: str) -> Bundle:
        """Add podman's name and image, which only the list of containers/storage has. The list is read when it has changed."""
        path = f"{_STORAGE}/containers.json"
        try:
            status = os.stat(os.path.join(self._root, path))
        except OSError:
            return bundle
        state = (status.st_ino, status.st_mtime_ns, status.st_size)
        # The list is replaced by rename, so that a change shows as a new inode, mtime or size.
        if state != self._storage_state:
            content = self._read(path)
            try:
                self._storage = parse_storage(content) if content is not None else {}
            except ValueError:
                self.errors["malformed"] += 1
                self._storage = {}
            self._storage_state = state
        name, image = self._storage.get(id, (id, ""))
        return replace(bundle, name=name, image=image)

    def _read(self, path: str) -> Optional[bytes]:
        """Read a whole file; None if it is absent, too large or unreadable. The latter two are counted."""
        try:
            with open(os.path.join(self._root, path), "rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                self.errors[errno.errorcode.get(error.errno or 0, "unknown")] += 1
            return None
        if len(content) > MAX_BYTES:
            self.errors["too_large"] += 1
            return None
        return content


@dataclass(frozen=True)
class _Missing:
    """A container that no runtime knows: the current delay in seconds, and the time of the next lookup."""

    delay: float
    retry_at: float
