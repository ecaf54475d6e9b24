"""One process of a cgroup, bound by its open folder in /proc.

Process ids are reused. An id is used only once, to open the process's folder. An open folder stays bound to that process and
answers ESRCH after its end, even if its id is in use again. The process's cgroup and network namespace are checked through the
open folder, so the check and the content always belong to one process.
"""

from __future__ import annotations

import errno
import os
from functools import cached_property

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.context import ENDED, parse_start
from telegen.cadvisor.cgroups.reading import MAX_BYTES, read_file

PROCESS_ENDED = frozenset((*ENDED, errno.EINVAL, None))
"""errno of reads from the folder of an ended process. None: ProcessLookupError of this module, without an errno."""


class Process:
    """One process, bound by its open folder until `close`, or until the object is garbage-collected.

    Attributes:
        namespace: inode of its network namespace; None without the right to read it.
    """

    def __init__(self, folder: str, container: Cgroup) -> None:
        """Open the folder.

        Args:
            folder: `/proc/PID`.
            container: the process must be in this cgroup or a nested one; any process is accepted for the root.

        Raises:
            OSError: the process does not exist or may not be inspected.
            ProcessLookupError: the process is in another cgroup.
        """
        self.container = container
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if container.kind != "root" and not self._is_in_container():
                raise ProcessLookupError(f"{folder} is in another cgroup than {container.id}")
            self.namespace = self._namespace_inode()
        except BaseException:
            self.close()
            raise

    def read(self, name: str, limit: int) -> bytes:
        """Read a file of the process, for example `net/dev`.

        Args:
            limit: maximum number of bytes.

        Raises:
            OSError: the process has ended, or the file cannot be read; EFBIG: it is longer than the limit.
            ProcessLookupError: the process has changed its network namespace.
        """
        content = read_file(name, limit, self._folder)
        # Checked after the read: a process that calls setns(2) meanwhile shows the counters of its new namespace.
        if not self.is_current():
            raise ProcessLookupError(f"{name}: another network namespace")
        return content

    def is_current(self) -> bool:
        """False if the process has ended, or has another network namespace by now."""
        return self._namespace_inode() == self.namespace

    @cached_property
    def start(self) -> int:
        """Start in ticks since the boot; 0 if it cannot be read."""
        try:
            return parse_start(self.read("stat", MAX_BYTES)) or 0
        except OSError:
            return 0

    def close(self) -> None:
        """Close the folder."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def __del__(self) -> None:
        # The context of an ended cgroup is dropped without a call to the collectors that keep state in it.
        if hasattr(self, "_folder"):
            self.close()

    def _is_in_container(self) -> bool:
        """True if one of the process's cgroups is the container's or nested in it."""
        # Paths are relative to the reader's cgroup namespace (cgroup_namespaces(7)), so only the container's name is compared.
        name = self.container.id.rpartition("/")[2]
        lines = read_file("cgroup", folder=self._folder).decode("utf-8", "surrogateescape").split("\n")
        return any(name in line.split("/") for line in lines)

    def _namespace_inode(self) -> int | None:
        """Inode of the network namespace; None without the right to read it (CAP_SYS_PTRACE, namespaces(7))."""
        try:
            return os.stat("ns/net", dir_fd=self._folder).st_ino
        except (PermissionError, FileNotFoundError):
            return None
