"""Cache of open control files: reading an open file again costs a third of opening and reading it."""

from __future__ import annotations

import errno
import os
import resource
from array import array

from telegen.cadvisor.cgroups.reading import SIZE, read_file, read_rest

ABSENT = frozenset((errno.ENOENT, errno.ENODEV, errno.ENOTDIR, errno.EOPNOTSUPP))
"""errno of a file that the kernel does not have for this cgroup: not compiled in, the cgroup has ended (ENODEV), or not supported
(EOPNOTSUPP: pressure with psi=0, cgroup.procs of a threaded cgroup)."""

MAX_OPEN = 65536
"""Maximum number of open files, those of about 3,000 containers. The kernel uses about 4.5 kB for each."""

RESERVED = 512
"""File descriptors left for everything else."""

RETRY_PASSES = 30
"""Passes until an absent file is tried again: a controller can be enabled later."""


def raise_open_files_limit() -> None:
    """Raise RLIMIT_NOFILE to what the cache needs, or as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = MAX_OPEN + RESERVED
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), max(hard, needed)))
    except (ValueError, OSError):
        # Raising the hard limit needs CAP_SYS_RESOURCE (setrlimit(2)).
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


UNKNOWN = -1
"""State of a file that has not been opened. An open one has its descriptor, an absent one a number below, see `ControlFiles.due`."""


class OpenFolder:
    """The control files of one folder, by name. They stay open from pass to pass; `ControlFiles` makes and closes it.

    PERF: an array of states at positions that all folders share takes 0.3 kB; paths and dicts of descriptors took 7 kB per folder,
    2.1 MB for 200 containers (tracemalloc).
    """

    __slots__ = ("path", "is_used", "_files", "_states")

    def __init__(self, path: str, files: ControlFiles) -> None:
        self.path, self.is_used, self._files = path, False, files
        self._states = array("i", [UNKNOWN]) * len(files.positions)

    def read(self, name: str, whole_below: int = SIZE) -> bytes | None:
        """Return the current content of a file; None for an absent one.

        Args:
            whole_below: length of the first read below which it is the whole file. The default holds for files with one record.

        Raises:
            OSError: the file cannot be read.
        """
        # PERF: pread of an open memory.stat takes 5 us of our own time, open + read + close 14 us; to find that a file is
        # absent takes 5 us, to remember it 0.2 us. A second read to see the end of every file would cost 0.5 us each, 2 ms of a
        # pass over 200 containers.
        self.is_used = True
        try:
            position = self._files.positions[name]
            state = self._states[position]
        except LookupError:
            position, state = self._add(name), UNKNOWN
        if state >= 0:
            try:
                # pread at offset 0 makes the kernel generate the content anew.
                content = os.pread(state, SIZE, 0)
                return content if len(content) < whole_below else read_rest(state, content, f"{self.path}/{name}")
            except OSError as error:
                # The cgroup was removed (ENODEV); another one of the same name may exist by now.
                self._close(position)
                if error.errno not in ABSENT:
                    raise
        elif state < self._files.due:
            return None
        return self._open_and_read(name, position, whole_below)

    def read_once(self, name: str) -> bytes | None:
        """Read as `read` does, without keeping the file open: for files that are read rarely."""
        try:
            return read_file(f"{self.path}/{name}")
        except OSError as error:
            if error.errno not in ABSENT:
                raise
            return None

    def close(self) -> None:
        """Close all files."""
        for position, state in enumerate(self._states):
            if state >= 0:
                self._close(position)

    def _add(self, name: str) -> int:
        """Return the position of a name that has none yet, in all folders or in this one."""
        position = self._files.positions.setdefault(name, len(self._files.positions))
        self._states.extend([UNKNOWN] * (position + 1 - len(self._states)))
        return position

    def _open_and_read(self, name: str, position: int, whole_below: int) -> bytes | None:
        path = f"{self.path}/{name}"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                content = os.pread(fd, SIZE, 0)
                if len(content) >= whole_below:
                    content = read_rest(fd, content, path)
            # A cgroup can end between open and read (ENODEV); its descriptor must not leak.
            except BaseException:
                os.close(fd)
                raise
        except OSError as error:
            if error.errno not in ABSENT:
                raise
            self._states[position] = self._files.due - RETRY_PASSES
            return None
        if self._files.admit(self):
            self._states[position] = fd
        else:
            self._states[position] = UNKNOWN
            os.close(fd)
        return content

    def _close(self, position: int) -> None:
        os.close(self._states[position])
        self._states[position] = UNKNOWN
        self._files.count -= 1


class ControlFiles:
    """Reads small files repeatedly and keeps them open. Not safe for threads.

    Attributes:
        count: number of open files.
        due: state of absent files that are tried again in this pass: one lower after each pass. PERF: a number, since v1 asks for
            3,700 absent files in a pass over 200 containers.
        positions: position of each name in the states of all folders.
    """

    def __init__(self, limit: int | None = None) -> None:
        """Create an empty cache.

        Args:
            limit: maximum number of open files; by default MAX_OPEN, or less if RLIMIT_NOFILE is lower.
        """
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._limit = max(0, min(MAX_OPEN, soft - RESERVED)) if limit is None else limit
        self._folders: dict[str, OpenFolder] = {}
        self.positions: dict[str, int] = {}
        self.count, self.due = 0, UNKNOWN - 1

    def folder(self, path: str) -> OpenFolder:
        """Return the control files of a folder, which need not exist."""
        known = self._folders.get(path)
        if known is None:
            known = self._folders[path] = OpenFolder(path, self)
        return known

    def read(self, path: str) -> bytes | None:
        """Read a file with one record, see `OpenFolder.read`."""
        folder, _, name = path.rpartition("/")
        return self.folder(folder).read(name)

    def read_list(self, path: str) -> bytes | None:
        """Read a list of lines as `read` does. Every read returns a piece of it, so that only an empty read is the end."""
        folder, _, name = path.rpartition("/")
        return self.folder(folder).read(name, 1)

    def admit(self, folder: OpenFolder) -> bool:
        """Count one more open file of a folder; False if the limit is reached: then it is opened in each pass, slower, but complete."""
        if self.count >= self._limit:
            return False
        # A folder that was swept is in use again.
        self._folders[folder.path] = folder
        self.count += 1
        return True

    def sweep(self) -> None:
        """End a pass: close the folders in which nothing was read."""
        for path, folder in list(self._folders.items()):
            if folder.is_used:
                folder.is_used = False
            else:
                folder.close()
                del self._folders[path]
        self.due -= 1

    def close(self) -> None:
        """Close all files."""
        for folder in self._folders.values():
            folder.close()
        self._folders = {}
