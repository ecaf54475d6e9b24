"""Control files, kept open: reading an open one again costs a third of opening it."""

from __future__ import annotations

import errno
import os
import resource

SIZE = 16384
"""Bytes read at once: more than any of these files has."""

GONE = frozenset((errno.ENOENT, errno.ENODEV, errno.ENOTDIR, errno.EOPNOTSUPP))
"""The kernel has no such file for this cgroup, or the cgroup itself has ended, or the file answers for no such cgroup
(pressure with psi=0, cgroup.procs of a threaded one)."""

KEPT = 65536
"""Files that are kept open at the most: those of some 3,000 containers. The kernel holds some 4.5 kB for each."""

SPARE = 512
"""File descriptors that are left for everything else."""

RETRY = 30
"""Passes after which a file that was not there is looked for again: a controller may be switched on later."""


def allow_files() -> None:
    """Let this process open as many files as are to be kept open, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = KEPT + SPARE
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
    except (ValueError, OSError):
        # Raising the hard limit is for CAP_SYS_RESOURCE (setrlimit(2)).
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class ControlFiles:
    """Reads small files again and again, keeping some of them open. Not safe for threads."""

    def __init__(self, limit: int | None = None) -> None:
        """Nothing is open yet.

        Args:
            limit: how many are kept open; by default KEPT, or as many as this process may.
        """
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._limit = max(0, min(KEPT, soft - SPARE)) if limit is None else limit
        self._open: dict[str, int] = {}
        self._missing: dict[str, int] = {}
        self._used: set[str] = set()
        self._passes = 0

    def read(self, path: str) -> bytes | None:
        """The content now; None when there is no such file.

        Raises:
            OSError: the file cannot be read.
        """
        # PERF: pread of an open memory.stat takes 5 us of ours, open + read + close 14; to find that there is no file
        # 5, to remember it 0.2.
        self._used.add(path)
        fd = self._open.get(path)
        if fd is not None:
            try:
                return os.pread(fd, SIZE, 0)
            except OSError as error:
                # The cgroup was removed; one of the same name may be there by now.
                self._close(path)
                if error.errno not in GONE:
                    raise
        elif self._missing.get(path, 0) > self._passes:
            return None
        return self._first(path)

    def glance(self, path: str) -> bytes | None:
        """Like `read`, for a file that is read too seldom to be kept open."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.pread(fd, SIZE, 0)
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno not in GONE:
                raise
            return None

    def sweep(self, ended: bool = True) -> None:
        """End a pass: close, and forget, every file that was not asked for in it.

        Args:
            ended: whether a cgroup has ended; if not, the search may wait for some passes.
        """
        # PERF: 4,000 files are looked through in 1 ms, more when the processor has other things in its cache.
        if ended or self._passes % RETRY == 0:
            for path in [path for path in self._open if path not in self._used]:
                self._close(path)
            for path in [path for path in self._missing if path not in self._used]:
                del self._missing[path]
        self._used = set()
        self._passes += 1

    def close(self) -> None:
        """Close them all."""
        for path in list(self._open):
            self._close(path)

    def _first(self, path: str) -> bytes | None:
        """Open and read a file."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                content = os.pread(fd, SIZE, 0)
            except BaseException:
                os.close(fd)
                raise
        except OSError as error:
            if error.errno not in GONE:
                raise
            self._missing[path] = self._passes + RETRY
            return None
        self._missing.pop(path, None)
        if len(self._open) < self._limit:
            self._open[path] = fd
        else:
            os.close(fd)
        return content

    def _close(self, path: str) -> None:
        os.close(self._open.pop(path))
