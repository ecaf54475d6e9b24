"""Complete reads of files of /proc and of the cgroup file systems.

A read can return less than the rest of the file: a list of lines (cgroup.procs, /proc/PID/net/dev, mountinfo, vmstat) comes in pieces
of whole lines, a page at most (https://docs.kernel.org/filesystems/seq_file.html). Only an empty read is the end. A file with one
record (cpu.stat, memory.stat, io.stat) comes whole, as far as it fits into the buffer of the read.
"""

from __future__ import annotations

import errno
import os

MAX_BYTES = 16 << 20
"""Maximum length of a file in bytes. A longer one is an error: a part of a file is a wrong number."""

SIZE = 16384
"""Bytes per read; few files are longer: io.stat of more than 200 devices. PERF: 65536 would cost 1 MB, since it fragments the heap."""


def read_file(path: str, limit: int = MAX_BYTES, folder: int | None = None) -> bytes:
    """Return the whole content of a file.

    Args:
        limit: maximum number of bytes.
        folder: descriptor of the folder that a relative path begins in.

    Raises:
        OSError: the file cannot be read; EFBIG: it is longer than the limit.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return read_rest(fd, b"", path, limit)
    finally:
        os.close(fd)


def read_rest(fd: int, beginning: bytes, path: str, limit: int = MAX_BYTES) -> bytes:
    """Read a file on from the end of its beginning, until a read is empty; return all of it.

    Args:
        path: for the error.

    Raises:
        OSError: as for `read_file`.
    """
    pieces, size = [beginning], len(beginning)
    while piece := os.pread(fd, SIZE, size):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise OSError(errno.EFBIG, f"longer than {limit} bytes", path)
    return b"".join(pieces)
