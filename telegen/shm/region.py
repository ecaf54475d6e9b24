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
        self._readable: mmap.mmap | None = None

    def prepare_protection(self) -> None:
        """Make the mapping that `protect` changes to, for a process that gives up the right to open the memory before.

        Raises:
            OSError: /proc is not mounted.
        """
        self._readable = readable_mapping(self._fd, len(self._memory))

    def protect(self) -> None:
        """Let this process and its children only read the region from now on; there is no way back.

        Raises:
            OSError: /proc is not mounted.
        """
        if self._readable is None:
            self.prepare_protection()
        assert self._readable is not None
        self._memory.close()
        self._close_file()
        self._memory = self._readable

    def close(self) -> None:
        """Unmap and close; the kernel frees the memory when the last process has closed it."""
        self._memory.close()
        self._close_file()

    def __del__(self) -> None:
        # A mapping closes itself, a descriptor does not.
        if hasattr(self, "_fd"):
            self._close_file()

    def _close_file(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def readable_mapping(descriptor: int, size: int) -> mmap.mmap:
    """Map a memory file read-only.

    The mapping cannot be made writable, because it belongs to a descriptor that was opened for reading. F_SEAL_FUTURE_WRITE would
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
        mapping = mmap.mmap(readable, size, prot=mmap.PROT_READ)
        if os.path.sameopenfile(duplicate, readable):
            os.dup2(null, duplicate, inheritable=False)
    finally:
        os.close(readable)
        os.close(null)
    return mapping


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
