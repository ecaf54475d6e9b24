"""Lookup of the files that container runtimes keep on the host. Neither a runtime socket nor the API server is needed.

Each runtime has its own folder with a subfolder for each container id, so a container's runtime is found by trying them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Optional, Protocol

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.mountinfo import FileSystem
from telegen.cadvisor.identity.host_files import HostFiles
from telegen.cadvisor.identity.mount_locations import find_mount_locations
from telegen.cadvisor.identity.oci import Bundle
from telegen.cadvisor.identity.pods import KeyFilter
from telegen.cadvisor.identity.runtime_arguments import Arguments, read_arguments
from telegen.cadvisor.identity.runtime_files import Found, RuntimeFiles
from telegen.cadvisor.identity.runtime_folders import Location, find_locations

BACKOFF = (5.0, 300.0)
"""First and last delay in seconds until an unknown container is looked up again; the delay doubles in between."""

REFRESH = 5.0
"""Minimum seconds between two searches for the runtimes' folders; an unknown container asks for one."""

SCAN = 60.0
"""Minimum seconds between two reads of all command lines."""


class Mounts(Protocol):
    """Reader of the mounts of containers and of the host."""

    def of(self, cgroup: Cgroup) -> Sequence[FileSystem]:
        """Mounts of a container's first process."""

    def of_host(self) -> Sequence[FileSystem]:
        """Mounts of the host's first process."""


class Bundles:
    """Cache of the runtimes' files. Each is read once; those of Docker and podman again when they change. Not safe for threads."""

    def __init__(
        self,
        root: str = "/",
        clock: Callable[[], float] = time.monotonic,
        proc: str = "",
        mounts: Optional[Mounts] = None,
        labels: KeyFilter = lambda key: False,
        env: KeyFilter = lambda key: False,
    ) -> None:
        """Create an empty cache.

        Args:
            root: the host's `/` as this process sees it.
            proc: the host's /proc, for the options of the runtimes; "": not read.
            mounts: reader of the mounts that lead to a runtime without a known folder; None: not used.
            labels, env: filters of the labels and environment variables that are kept.
        """
        self._files, self._clock, self._proc, self._mounts = HostFiles(root), clock, proc, mounts
        self._runtime = RuntimeFiles(self._files, labels, env)
        self._found: dict[str, Found] = {}
        self._missing: dict[str, _Missing] = {}
        self._locations: list[Location] = []
        self._locations_until = self._arguments_until = float("-inf")
        self._arguments = Arguments()
        self._host_mounts: Optional[Sequence[FileSystem]] = None

    @property
    def errors(self) -> Counter[str]:
        """Errors by reason, see `HostFiles`."""
        return self._files.errors

    def find(self, id: str, cgroup: Optional[Cgroup] = None) -> Optional[Bundle]:
        """Return the bundle of a container; None as long as no runtime has one, which is checked again after a delay.

        Args:
            id: 64 hexadecimal digits, as in the name of the cgroup.
            cgroup: the container's cgroup, by which its mounts are found.
        """
        known = self._found.get(id)
        if known:
            return known.bundle
        missing = self._missing.get(id)
        if missing and self._clock() < missing.retry_at:
            return None
        found = self._look_up(id, cgroup)
        if found:
            self._found[id] = found
            self._missing.pop(id, None)
        else:
            delay = min(missing.delay * 2, BACKOFF[1]) if missing else BACKOFF[0]
            # The delay doubles, since a container that stays unknown usually belongs to a runtime without such files.
            self._missing[id] = _Missing(delay, self._clock() + delay)
        return found.bundle if found else None

    def refreshed(self, id: str) -> Optional[Bundle]:
        """Return the new bundle of a container whose files have changed; None if nothing has changed."""
        known = self._found.get(id)
        if known is None or not known.has_changed():
            return None
        # A file that is malformed or gone at the moment leaves the known bundle, and is read again in the next pass.
        found = self._runtime.read(id, known.location)
        if found is None:
            return None
        self._found[id] = found
        return found.bundle if found.bundle != known.bundle else None

    def folder(self, id: str) -> str:
        """Return the folder of a container's files as this process sees it; "" if none is known."""
        known = self._found.get(id)
        return known.folder if known else ""

    def keep(self, ids: Set[str]) -> None:
        """End a pass: drop all other containers."""
        self._host_mounts = None
        for id in self._found.keys() - ids:
            del self._found[id]
        for id in self._missing.keys() - ids:
            del self._missing[id]

    def _look_up(self, id: str, cgroup: Optional[Cgroup]) -> Optional[Found]:
        """Read the files of a container in the known folders, then in those that exist by now, then where its mounts lead."""
        found = self._first(id, self._locations)
        if found is None and self._clock() >= self._locations_until:
            self._locations_until = self._clock() + REFRESH
            before, self._locations = self._locations, self._find_locations()
            found = self._first(id, [location for location in self._locations if location not in before])
        if found is None and cgroup and self._mounts and (mounts := self._mounts.of(cgroup)):
            found = self._first(id, find_mount_locations(self._files, mounts, self._mounts_of_host()))
        return found

    def _find_locations(self) -> list[Location]:
        if self._proc and self._clock() >= self._arguments_until:
            self._arguments_until = self._clock() + SCAN
            self._arguments = read_arguments(self._proc)
        return find_locations(self._files, self._arguments, self._mounts_of_host())

    def _mounts_of_host(self) -> Sequence[FileSystem]:
        # PERF: read once a pass: 1.2 ms for the 1,000 mounts of a node with 200 containers.
        if self._host_mounts is None:
            self._host_mounts = self._mounts.of_host() if self._mounts else ()
        return self._host_mounts

    def _first(self, id: str, locations: Iterable[Location]) -> Optional[Found]:
        """Read the first location that has the container."""
        # PERF: 40 us for each location without the container.
        return next((found for location in locations if (found := self._runtime.read(id, location))), None)


@dataclass(frozen=True)
class _Missing:
    """A container that no runtime knows: the current delay in seconds, and the time of the next lookup."""

    delay: float
    retry_at: float
