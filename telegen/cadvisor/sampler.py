"""One pass over the cgroups of this node: find them, read each, give plain readings."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from telegen.cadvisor import v1, v2
from telegen.cadvisor.discovery import Cgroup, find_cgroups
from telegen.cadvisor.files import ControlFiles
from telegen.cadvisor.hierarchy import Mount, find_mounts

Reading = dict[str, Any]
"""id, pod_uid, container_id (str), and per source (`cpu`, `memory`) a dict of what could be read, in base units."""

GONE = (errno.ENOENT, errno.ENODEV, errno.ENOTDIR)

_READERS: dict[tuple[str, int], tuple[str, Callable[[v1.Read, bool], dict[str, float]]]] = {
    ("cpuacct", 1): ("cpu", v1.cpu),
    ("cpuacct", 2): ("cpu", v2.cpu),
    ("memory", 1): ("memory", v1.memory),
    ("memory", 2): ("memory", v2.memory),
}


@dataclass(frozen=True)
class Roots:
    """Where the host's filesystems are, as this process sees them."""

    cgroup: str = "/sys/fs/cgroup"
    proc: str = "/proc"
    sys: str = "/sys"


class Sampler:
    """Reads all cgroups that are shown. Not safe for threads."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._files = ControlFiles()
        self.errors: Counter[str] = Counter()
        """What went wrong so far, by reason: `malformed`, or the name of a system error. Nothing of it blanks other
        readings."""

    def sample(self) -> Iterator[Reading]:
        """One reading per cgroup; a cgroup that has ended meanwhile has none."""
        mounts = find_mounts(self._roots.cgroup)
        for cgroup in _all_cgroups(mounts.values()):
            reading: Reading = {"id": cgroup.id, "pod_uid": cgroup.pod_uid, "container_id": cgroup.container_id}
            found = False
            for controller, mount in mounts.items():
                source, values = self._read(controller, mount, cgroup)
                reading[source] = values
                found = found or bool(values)
            if found:
                yield reading
        self._files.sweep()

    def close(self) -> None:
        """Close the files that are kept open."""
        self._files.close()

    def _read(self, controller: str, mount: Mount, cgroup: Cgroup) -> tuple[str, dict[str, float]]:
        """What one controller says of a cgroup."""
        source, reader = _READERS[controller, mount.version]
        folder = mount.path if cgroup.id == "/" else mount.path + cgroup.id

        def read(name: str) -> bytes | None:
            try:
                return self._files.read(f"{folder}/{name}")
            except OSError as error:
                if error.errno not in GONE:
                    self.errors[errno.errorcode.get(error.errno or 0, "unknown")] += 1
                return None

        try:
            return source, reader(read, cgroup.id == "/")
        except ValueError:
            self.errors["malformed"] += 1
            return source, {}


def _all_cgroups(mounts: Any) -> Iterator[Cgroup]:
    """The cgroups of all mounts, each once: the trees of v1 controllers may differ."""
    seen: set[str] = set()
    for path in dict.fromkeys(mount.path for mount in mounts):
        for cgroup in find_cgroups(path):
            if cgroup.id not in seen:
                seen.add(cgroup.id)
                yield cgroup
