"""Cache of open control files: reading an open file again costs a third of opening and reading it."""

from __future__ import annotations

import errno
import os
import resource

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


class ControlFiles:
    """Reads small files repeatedly and keeps them open. Not safe for threads."""

    def __init__(self, limit: int | None = None) -> None:
        """Create an empty cache.

        Args:
            limit: maximum number of open files; by default MAX_OPEN, or less if RLIMIT_NOFILE is lower.
        """
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._limit = max(0, min(MAX_OPEN, soft - RESERVED)) if limit is None else limit
        self._open: dict[str, int] = {}
        self._absent: dict[str, int] = {}
        self._used: set[str] = set()
        self._passes = 0

    def read(self, path: str, whole_below: int = SIZE) -> bytes | None:
        """Return the current content; None for an absent file.

        Args:
            whole_below: length of the first read below which it is the whole file. The default holds for files with one record.

        Raises:
            OSError: the file cannot be read.
        """
        # PERF: pread of an open memory.stat takes 5 us of our own time, open + read + close 14 us; to find that a file is
        # absent takes 5 us, to remember it 0.2 us. A second read to see the end of every file would cost 0.5 us each, 2 ms of a
        # pass over 200 containers.
        # Paths of this pass; `sweep` closes all others.
        self._used.add(path)
        fd = self._open.get(path)
        if fd is not None:
            try:
                # pread at offset 0 makes the kernel generate the content anew.
                content = os.pread(fd, SIZE, 0)
                return content if len(content) < whole_below else read_rest(fd, content, path)
            except OSError as error:
                # The cgroup was removed (ENODEV); another one of the same name may exist by now.
                self._close(path)
                if error.errno not in ABSENT:
                    raise
        elif self._absent.get(path, 0) > self._passes:
            return None
        return self._open_and_read(path, whole_below)

    def read_list(self, path: str) -> bytes | None:
        """Read a list of lines as `read` does. Every read returns a piece of it, so that only an empty read is the end."""
        return self.read(path, 1)

    def read_once(self, path: str) -> bytes | None:
        """Read as `read` does, without keeping the file open: for files that are read rarely."""
        try:
            return read_file(path)
        except OSError as error:
            if error.errno not in ABSENT:
                raise
            return None

    def sweep(self, has_ended: bool = True) -> None:
        """End a pass: close the files that were not read in it.

        Args:
            has_ended: True if a cgroup has ended; otherwise the search is done only every RETRY_PASSES passes.
        """
        # PERF: searching 4,000 files takes 1 ms, more with cold caches.
        if has_ended or self._passes % RETRY_PASSES == 0:
            for path in [path for path in self._open if path not in self._used]:
                self._close(path)
            for path in [path for path in self._absent if path not in self._used]:
                del self._absent[path]
        self._used = set()
        self._passes += 1

    def close(self) -> None:
        """Close all files."""
        for path in list(self._open):
            self._close(path)

    def _open_and_read(self, path: str, whole_below: int) -> bytes | None:
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
            self._absent[path] = self._passes + RETRY_PASSES
            return None
        self._absent.pop(path, None)
        # Beyond the limit a file is opened in each pass: slower, but complete.
        if len(self._open) < self._limit:
            self._open[path] = fd
        else:
            os.close(fd)
        return content

    def _close(self, path: str) -> None:
        os.close(self._open.pop(path))
