"""Operating system: exit statuses, signals, death with the parent, process names, heap settings, pidfile."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_OOM_STEP, _OOM_MAX = 300, 1000
_libc = ctypes.CDLL(None, use_errno=True)

log = logging.getLogger("telegen.supervisor")


class Exit(IntEnum):
    """Exit status of a process of the agent."""

    OK = 0
    CRASH = 1
    """An unexpected exception; the supervisor restarts the worker."""
    CONFIG = 2
    """The configuration or the command line is invalid."""
    PORT = 3
    """The address to listen on cannot be opened."""
    BOOT = 4
    """A worker cannot work with this configuration. A restart would not help, so the agent stops."""


class BootFailure(Exception):
    """The agent cannot start or continue; `status` is its exit status."""

    def __init__(self, status: Exit, message: str) -> None:
        super().__init__(message)
        self.status = status


def describe(status: int) -> str:
    """Describe the wait status of a child: `killed by SIGKILL`, `exit status 1 (CRASH)`."""
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    code = os.WEXITSTATUS(status)
    name = f" ({Exit(code).name})" if code in Exit._value2member_map_ else ""
    return f"exit status {code}{name}"


def kill(pid: int, number: signal.Signals) -> None:
    """Send a signal to a child; a child that has ended already is ignored."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        log.debug("%s: process %d has ended already", number.name, pid)


def ended(pid: int, block: bool = False) -> bool:
    """Return True if a child has ended, and reap it.

    Args:
        block: wait until it has ended.
    """
    try:
        return os.waitpid(pid, 0 if block else os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def die_with_parent(parent: int, how: signal.Signals) -> None:
    """Let the kernel send this process the signal `how` when its parent ends (prctl(2), PR_SET_PDEATHSIG).

    Args:
        parent: the pid that forked this process.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0)
    # The parent may have ended before the call; the kernel sends no signal for that.
    if os.getppid() != parent:
        os._exit(Exit.CRASH)


class Lifeline:
    """A pipe by which descendants notice the end of the process that created it, also if the processes between them live on.

    Only its creator keeps the write end, so the read end reports end-of-file when the creator ends in any way.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def leave(self) -> None:
        """Close the write end in a child."""
        os.close(self._write)

    def follow(self) -> None:
        """End this process when the creator has ended. The wait has a thread of its own: clients may hold all others."""
        threading.Thread(target=self._end_with_creator, name="lifeline", daemon=True).start()

    def _end_with_creator(self) -> None:
        os.read(self._read, 1)
        os._exit(Exit.CRASH)


def offer_to_oom_killer() -> None:
    """Raise this process's oom_score_adj (proc(5)), so that the kernel kills it before its parent when memory runs out.

    The parent maps the memory of all its children and would often be the largest, but its end is the end of the agent.
    """
    path = "/proc/self/oom_score_adj"
    try:
        # Not as text: the encoders copy 0.3 MB of inherited memory.
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.write(file, b"%d" % min(_OOM_MAX, int(os.read(file, 16)) + _OOM_STEP))
        finally:
            os.close(file)
    except (OSError, ValueError) as error:
        # /proc may be read-only. The agent works without it.
        log.debug("%s: the kernel may kill the supervisor first when memory runs out: %s", path, error)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process (proc_pid_statm(5)), 0 if it has ended. PERF: 20 us."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def cpu_nanoseconds(pid: int) -> int:
    """Return the CPU time of a process in user and kernel mode (proc_pid_stat(5)), 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The second field, the name in brackets, may contain anything.
            utime, stime = file.read().rpartition(")")[2].split()[11:13]
        return (int(utime) + int(stime)) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return 0


@contextmanager
def hold_term() -> Iterator[None]:
    """Block SIGTERM while forking.

    Until a child has installed its own handler it would run the inherited handler of the parent, which only notes the
    signal, and would not end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_at_term() -> None:
    """Unblock SIGTERM in the child after `hold_term`; SIGTERM, also a pending one, ends the process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def set_name(name: str) -> None:
    """Set the name that ps and top show, of at most 15 bytes."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def bound_heap() -> None:
    """Let glibc return freed memory to the system (mallopt(3)): one heap for all threads, and mmap for blocks from 1 MiB.

    By default glibc raises the mmap threshold after each large block that is freed, and its heap keeps such blocks.
    """
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, 1024 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 1024 * 1024)


def share_memory() -> None:
    """Freeze all objects, so that children share their memory.

    The garbage collector would write into every object and so copy its memory page in each child. PERF: takes 40 ms after
    the imports; saves 1 MB over all processes at rest.
    """
    gc.collect()
    trim_memory()
    gc.freeze()


def trim_memory() -> None:
    """Return freed heap pages to the system (malloc_trim(3)); does nothing without glibc."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


class Pidfile:
    """A file with the pid of the running agent."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def create(self) -> None:
        """Write the file.

        Raises:
            FileExistsError: the process that the file names is running.
            OSError: the file cannot be written.
        """
        running = self._running()
        if running:
            raise FileExistsError(f"{self._path}: the agent runs already as process {running}; stop it, or set another pidfile")
        # Written beside and renamed: a reader never sees an empty pidfile.
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        partial.write_text(f"{os.getpid()}\n")
        os.replace(partial, self._path)

    def remove(self) -> None:
        """Remove the file if it names this process."""
        if self._read() == os.getpid():
            self._path.unlink(missing_ok=True)

    def _read(self) -> int:
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return 0

    def _running(self) -> int:
        """Return the pid in the file if that process runs, else 0. After a restart in a container it may be this process."""
        pid = self._read()
        if pid in (0, os.getpid()):
            return 0
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return 0
        except PermissionError:
            # A process of another user runs.
            return pid
        return pid
