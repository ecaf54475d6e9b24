"""Protection of shared memory from the process that only reads it."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable

import pytest

from telegen.shm.layout import Arena
from telegen.shm.region import Region
from telegen.shm.shared_document import SharedDocument
from telegen.shm.store_status import StoreStatuses

_libc = ctypes.CDLL(None, use_errno=True)


def in_child(check: Callable[[], None]) -> None:
    """Run `check` in a forked process; fail if it raises."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            check()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def address(name: str) -> int:
    """Address of the only mapping of a memory file in this process."""
    with open("/proc/self/maps", encoding="ascii") as maps:
        found = [line for line in maps if f"memfd:{name} " in line]
    assert len(found) == 1
    return int(found[0].partition("-")[0], 16)


def test_protected_arena() -> None:
    """A process that has protected an arena sees what the writer writes, and can neither write nor make the mapping writable, nor
    does it hold a descriptor of the memory."""
    arena = Arena.create("protected", 1 << 20)

    def check() -> None:
        arena.protect()
        assert arena.memory[100:103] == b"abc"
        with pytest.raises(TypeError):
            arena.memory[100:103] = b"xyz"
        start = address("telegen-protected")
        assert _libc.mprotect(ctypes.c_void_p(start), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE) == -1
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            with pytest.raises(OSError):
                memory.write(b"xyz")
        assert not any("telegen-protected" in target for target in open_files())

    arena.memory[100:103] = b"abc"
    in_child(check)
    # The writer still punches holes.
    arena.memory.madvise(mmap.MADV_REMOVE, mmap.PAGESIZE, mmap.PAGESIZE)
    arena.close()


def open_files() -> list[str]:
    """Targets of the open descriptors of this process."""
    # The descriptor of the listing itself is closed by now.
    return [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{number}")]


def test_protected_statuses() -> None:
    """The rows of protected statuses show what workers write."""
    statuses = StoreStatuses(["pods", "nodes"])

    def check() -> None:
        statuses.protect()
        assert statuses["nodes"].read().cause == "broken"
        with pytest.raises(TypeError):
            statuses["nodes"].note_synced()

    statuses["nodes"].note_failed("broken")
    in_child(check)
    statuses.close()


def test_memory_of_another_user() -> None:
    """Only the owner may open the memory through /proc, so a process that has given up root cannot."""
    region = Region("owned", mmap.PAGESIZE)
    assert os.stat(region._fd).st_mode & 0o777 == 0o600
    region.close()


def test_shared_document() -> None:
    """A document is replaced as a whole and numbered; one that is too large is refused, and the document before stays."""
    shared = SharedDocument("test", mmap.PAGESIZE)
    assert shared.read() == (0, b"")
    shared.write(b"one")
    shared.write(b"three")
    assert (shared.number, shared.read()) == (2, (2, b"three"))
    with pytest.raises(ValueError):
        shared.write(bytes(mmap.PAGESIZE + 1))
    assert shared.read() == (2, b"three")
    # A write that is not complete.
    shared._memory[mmap.PAGESIZE : mmap.PAGESIZE + 1] = b"T"
    with pytest.raises(TimeoutError):
        shared.read()
    shared.close()
