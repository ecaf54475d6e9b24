"""Regions of anonymous memory that processes share over fork, and their protection from writes."""

from __future__ import annotations

import ctypes
import mmap
import os

_libc = ctypes.CDLL(None, use_errno=True)
_CLOEXEC = 1


class Region:
    """Memory of a fixed size, inherited over fork: a memory file and its mapping."""

    def __init__(self, name: str, size: int) -> None:
        """Create a region of zeros.

        Raises:
            OSError: the system has no memory or no file descriptors left.
        """
        self._fd = create_memory_file(f"telegen-{name}")
        os.ftruncate(self._fd, size)
        self._memory = mmap.mmap(self._fd, size)

    def protect(self) -> None:
        """Let this process and its children only read the region from now on; there is no way back.

        Raises:
            OSError: /proc is not mounted.
        """
        self._memory = protected(self._fd, self._memory)
        self._fd = -1

    def close(self) -> None:
        """Unmap and close; the kernel frees the memory when the last process has closed it."""
        self._memory.close()
        if self._fd >= 0:
            os.close(self._fd)


def protected(descriptor: int, memory: mmap.mmap) -> mmap.mmap:
    """Replace a writable mapping of a memory file by a read-only one, and close the descriptor.

    The new mapping cannot be made writable, because it belongs to a descriptor that was opened for reading. F_SEAL_FUTURE_WRITE would
    have the same effect, but forbids the holes that writers punch (fallocate(2) fails with EPERM).

    Raises:
        OSError: /proc is not mounted.
    """
    readable = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # The mmap module keeps a duplicate of the descriptor, with the lowest free number: through /proc it could be opened for writing.
        duplicate = os.dup(null)
        os.close(duplicate)
        replacement = mmap.mmap(readable, len(memory), prot=mmap.PROT_READ)
        if os.path.sameopenfile(duplicate, readable):
            os.dup2(null, duplicate, inheritable=False)
    finally:
        os.close(readable)
        os.close(null)
    memory.close()
    os.close(descriptor)
    return replacement


def create_memory_file(name: str) -> int:
    """Create an empty file in anonymous memory; return its file descriptor, which is closed on exec.

    Raises:
        OSError: the system has no memory or no file descriptors left.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    else:
        # A Python built for an old C library, such as those that uv installs, lacks the function; the library in use has it.
        descriptor = int(_libc.memfd_create(name.encode(), _CLOEXEC))
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    # By default every user may open it through /proc.
    os.fchmod(descriptor, 0o600)
    return descriptor
