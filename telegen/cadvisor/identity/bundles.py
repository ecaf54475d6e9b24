"""Lookup of the files that container runtimes keep on the host. Neither a runtime socket nor the API server is needed.

Each runtime has its own folder with a subfolder for each container id, so a container's runtime is found by trying them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Optional, Protocol

from telegen.cadvisor.cgroups.discovery import Cgroup
from telegen.cadvisor.cgroups.mountinfo import FileSystem
from telegen.cadvisor.identity.host_files import HostFiles
from telegen.cadvisor.identity.mount_locations import find_mount_locations
from telegen.cadvisor.identity.oci import DOCKER, PODMAN, Bundle, parse_docker, parse_network_mode, parse_oci
from telegen.cadvisor.identity.runtime_arguments import Arguments, read_arguments
from telegen.cadvisor.identity.runtime_folders import Location, find_locations
from telegen.cadvisor.identity.storage_lists import StorageLists

BACKOFF = (5.0, 300.0)
"""First and last delay in seconds until an unknown container is looked up again; the delay doubles in between."""

REFRESH = 5.0
"""Minimum seconds between two searches for the runtimes' folders; an unknown container asks for one."""

SCAN = 60.0
"""Minimum seconds between two reads of all command lines."""

_FILES = {
    "oci": ("config.json", parse_oci),
    "docker": ("config.v2.json", parse_docker),
    "storage": ("userdata/config.json", parse_oci),
}
"""Name of the file in a container's folder, and its parser, by kind of the location."""


class Mounts(Protocol):
    """Reader of the mounts of containers and of the host."""

    def of(self, cgroup: Cgroup) -> Sequence[FileSystem]:
        """Mounts of a container's first process."""

    def of_host(self) -> Sequence[FileSystem]:
        """Mounts of the host's first process."""


class Bundles:
    """Cache of the runtimes' files; each file is read once. Not safe for threads."""

    def __init__(
        self,
        root: str = "/",
        clock: Callable[[], float] = time.monotonic,
        proc: str = "",
        mounts: Optional[Mounts] = None,
    ) -> None:
        """Create an empty cache.

        Args:
            root: the host's `/` as this process sees it.
            proc: the host's /proc, for the options of the runtimes; "": not read.
            mounts: reader of the mounts that lead to a runtime without a known folder; None: not used.
        """
        self._files, self._clock, self._proc, self._mounts = HostFiles(root), clock, proc, mounts
        self._storage = StorageLists(self._files)
        self._found: dict[str, Bundle] = {}
        self._missing: dict[str, _Missing] = {}
        self._locations: list[Location] = []
        self._locations_until = self._arguments_until = float("-inf")
        self._arguments = Arguments()

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
        found = self._found.get(id)
        if found:
            return found
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
        return found

    def keep(self, ids: Set[str]) -> None:
        """Drop all other containers."""
        for id in self._found.keys() - ids:
            del self._found[id]
        for id in self._missing.keys() - ids:
            del self._missing[id]

    def _look_up(self, id: str, cgroup: Optional[Cgroup]) -> Optional[Bundle]:
        """Read the file of a container in the known folders, then in those that exist by now, then where its mounts lead."""
        found = self._first(id, self._locations)
        if found is None and self._clock() >= self._locations_until:
            self._locations_until = self._clock() + REFRESH
            before, self._locations = self._locations, self._find_locations()
            found = self._first(id, [location for location in self._locations if location not in before])
        if found is None and cgroup and self._mounts and (mounts := self._mounts.of(cgroup)):
            found = self._first(id, find_mount_locations(self._files, mounts, self._mounts.of_host()))
        return found

    def _find_locations(self) -> list[Location]:
        if self._proc and self._clock() >= self._arguments_until:
            self._arguments_until = self._clock() + SCAN
            self._arguments = read_arguments(self._proc)
        return find_locations(self._files, self._arguments)

    def _first(self, id: str, locations: Iterable[Location]) -> Optional[Bundle]:
        """Read the first file that exists and is well-formed."""
        # PERF: 40 us for each location without the container.
        for location in locations:
            name, parse = _FILES[location.kind]
            content = self._files.read(f"{location.folder}/{id}/{name}", location.user)
            if content is None:
                continue
            try:
                return self._completed(parse(content, id), id, location)
            except ValueError:
                # Possibly half-written: tried again after the delay.
                self.errors["malformed"] += 1
        return None

    def _completed(self, bundle: Bundle, id: str, location: Location) -> Bundle:
        """Add what other files of the runtime have.

        Raises:
            ValueError: a file is malformed.
        """
        if bundle.runtime == DOCKER:
            content = self._files.read(f"{location.folder}/{id}/hostconfig.json", location.user)
            return replace(bundle, joins_network=content is not None and parse_network_mode(content))
        if bundle.runtime != PODMAN:
            return bundle
        uid = location.user.uid if location.user else None
        name, image = self._storage.find(id, location.storage, uid) or (id, "")
        return replace(bundle, name=name, image=image)


@dataclass(frozen=True)
class _Missing:
    """A container that no runtime knows: the current delay in seconds, and the time of the next lookup."""

    delay: float
    retry_at: float
