"""What the supervisor and its children need of the operating system: exit codes, parent-death, names, pidfile."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_libc = ctypes.CDLL(None, use_errno=True)

log = logging.getLogger("telegen.supervisor")


class Exit(IntEnum):
    """How a process of the agent ends."""

    OK = 0
    CRASH = 1
    """Something unforeseen: the supervisor starts the worker again."""
    CONFIG = 2
    """The configuration, or the command line, cannot be used."""
    PORT = 3
    """The address to listen on is taken or not ours."""
    BOOT = 4
    """A worker cannot work at all as configured: starting it again would not help, so the agent stops."""


class BootFailure(Exception):
    """The agent cannot start or go on; `status` is what it exits with."""

    def __init__(self, status: Exit, message: str) -> None:
        super().__init__(message)
        self.status = status


def describe(status: int) -> str:
    """How a child ended, in words, from its wait status."""
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    code = os.WEXITSTATUS(status)
    name = f" ({Exit(code).name})" if code in Exit._value2member_map_ else ""
    return f"exit status {code}{name}"


def kill(pid: int, number: signal.Signals) -> None:
    """Send a signal to a child, which may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        log.debug("process %d had ended before %s", pid, number.name)


def ended(pid: int, block: bool = False) -> bool:
    """Whether a child has ended; it is reaped then.

    Args:
        block: wait until it has.
    """
    try:
        return os.waitpid(pid, 0 if block else os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def die_with_parent(parent: int, how: signal.Signals) -> None:
    """Let the kernel send this process `how` when its parent ends (prctl(2), PR_SET_PDEATHSIG).

    Args:
        parent: the pid that forked this process; when it is gone already, the process ends at once.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(Exit.CRASH)


@contextmanager
def hold_term() -> Iterator[None]:
    """A context to fork in: SIGTERM waits. A child that got it before it has a handler of its own would give it to the one
    that it inherits, which means the parent, and would live on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_at_term() -> None:
    """The child's side of `hold_term`: from here on SIGTERM ends it, also one that has waited."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def set_name(name: str) -> None:
    """The name that ps and top show (15 bytes of it)."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def bound_heap() -> None:
    """Keep freed memory from staying with the process (glibc's mallopt(3)).

    One heap for all threads, and blocks from 1 MiB on straight from the system, whatever was freed before.
    """
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, 1024 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 1024 * 1024)


def share_memory() -> None:
    """What exists now is shared by all children for good: keep the collector from writing into it, and from looking through it
    again; holes in the heap go back to the system. PERF: 40 ms for what is imported; 1 MB less for all processes at rest."""
    gc.collect()
    trim_memory()
    gc.freeze()


def trim_memory() -> None:
    """Give freed heap pages back to the system, where the C library can (glibc's malloc_trim)."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


class Pidfile:
    """A file with the pid of the running agent."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def create(self) -> None:
        """Write it.

        Raises:
            FileExistsError: the agent that it names is running.
            OSError: the file cannot be written.
        """
        running = self._running()
        if running:
            raise FileExistsError(f"{self._path}: the agent runs already as process {running}")
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        partial.write_text(f"{os.getpid()}\n")
        os.replace(partial, self._path)

    def remove(self) -> None:
        """Take it away if it is ours."""
        if self._read() == os.getpid():
            self._path.unlink(missing_ok=True)

    def _read(self) -> int:
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return 0

    def _running(self) -> int:
        """The pid in the file if such a process is there and it is not this one (as after a restart in a container)."""
        pid = self._read()
        if pid in (0, os.getpid()):
            return 0
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return 0
        except PermissionError:
            return pid
        return pid
