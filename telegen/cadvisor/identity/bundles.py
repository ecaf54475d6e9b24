"""Names of containers from the files that their runtimes leave on the host (D10): no socket, no API server is needed.

Which runtime a container belongs to is found by looking: each has its own folder for a container's id.
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
"""Bytes of the largest file that is read: config.json has some ten thousand, the list of a storage some hundred thousand."""

BACKOFF = (5.0, 300.0)
"""Seconds after which a container that no runtime knows is looked for again: doubling up to the longest."""

_STATES = ("run/containerd", "run/k3s/containerd", "run/k0s/containerd", "var/snap/microk8s/common/run/containerd")
_TASKS = tuple(f"{state}/io.containerd.runtime.{kind}" for state in _STATES for kind in ("v2.task", "v1.linux"))
_STORAGE = "var/lib/containers/storage/overlay-containers"
_DOCKER = "var/lib/docker/containers"

REFRESH = 1.0
"""Seconds for which it is believed which runtimes there are."""

Parse = Callable[[bytes, str], Bundle]
Place = tuple[str, str, Parse]
"""Folder that has one per container, the file in that one, and what reads it."""


class Bundles:
    """What runtimes know of containers; each is read once. Not safe for threads."""

    def __init__(self, root: str = "/", clock: Callable[[], float] = time.monotonic) -> None:
        """Look at nothing yet.

        Args:
            root: where the host's `/` is, as this process sees it.
        """
        self._root, self._clock = root, clock
        self._found: dict[str, Bundle] = {}
        self._missing: dict[str, _Missing] = {}
        self._places: list[Place] = []
        self._places_until = float("-inf")
        self._storage: dict[str, tuple[str, str]] = {}
        self._storage_state: tuple[int, ...] = ()
        self.errors: Counter[str] = Counter()
        """What went wrong, by reason: `malformed`, `too_large`, or the name of a system error."""

    def find(self, id: str) -> Optional[Bundle]:
        """What is known of a container; None while nothing is. Looked for again after a while, until it is found.

        Args:
            id: 64 hexadecimal digits, as cgroups are called by them.
        """
        found = self._found.get(id)
        if found:
            return found
        missing = self._missing.get(id)
        if missing and self._clock() < missing.again:
            return None
        found = self._look(id)
        if found:
            self._found[id] = found
            self._missing.pop(id, None)
        else:
            delay = min(missing.delay * 2, BACKOFF[1]) if missing else BACKOFF[0]
            self._missing[id] = _Missing(delay, self._clock() + delay)
        return found

    def keep(self, ids: Set[str]) -> None:
        """Forget all other containers."""
        for id in self._found.keys() - ids:
            del self._found[id]
        for id in self._missing.keys() - ids:
            del self._missing[id]

    def _look(self, id: str) -> Optional[Bundle]:
        """The first file that can be read and understood."""
        # PERF: a container that nobody knows costs 2 us, and 10 per runtime that there is; 166 with a look everywhere.
        if self._clock() >= self._places_until:
            self._places = [place for place in self._all_places() if os.path.isdir(os.path.join(self._root, place[0]))]
            self._places_until = self._clock() + REFRESH
        for folder, name, parse in self._places:
            content = self._read(f"{folder}/{id}/{name}")
            if content is None:
                continue
            try:
                bundle = parse(content, id)
            except ValueError:
                # Half-written, perhaps: it is looked at again.
                self.errors["malformed"] += 1
                continue
            return self._with_storage(bundle, id) if bundle.runtime == PODMAN else bundle
        return None

    def _all_places(self) -> Iterator[Place]:
        """Where files may tell of a container, the likeliest first. Docker's containerd knows less than Docker."""
        for tasks in _TASKS:
            yield f"{tasks}/k8s.io", "config.json", parse_oci
        for storage in ("run/containers/storage/overlay-containers", _STORAGE):
            yield storage, "userdata/config.json", parse_oci
        yield _DOCKER, "config.v2.json", parse_docker
        for tasks in _TASKS:
            for namespace in self._other_namespaces(tasks):
                yield f"{tasks}/{namespace}", "config.json", parse_oci

    def _other_namespaces(self, tasks: str) -> list[str]:
        """Of containerd, besides that of Kubernetes."""
        with suppress(OSError):
            return sorted(name for name in os.listdir(os.path.join(self._root, tasks)) if name != "k8s.io")
        return []

    def _with_storage(self, bundle: Bundle, id: str) -> Bundle:
        """Podman's names and images stand in the list of the storage, which is read when it has changed."""
        path = f"{_STORAGE}/containers.json"
        try:
            status = os.stat(os.path.join(self._root, path))
        except OSError:
            return bundle
        state = (status.st_ino, status.st_mtime_ns, status.st_size)
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
        """A whole file; None when it is not there. Everything else that goes wrong is counted."""
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
    """A container that no runtime knew: how long the last wait is, and when it ends."""

    delay: float
    again: float
