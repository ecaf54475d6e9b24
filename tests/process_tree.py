"""CPU time and memory of a process and its descendants."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil


@dataclass
class Tree:
    """A process and its descendants."""

    root: psutil.Process
    peak: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, pid: int) -> Tree:
        """Return the tree of a process."""
        return cls(psutil.Process(pid))

    def processes(self) -> list[psutil.Process]:
        """Return the processes that run now."""
        return [self.root, *self.root.children(recursive=True)]

    def kill(self) -> None:
        """Kill all of them. Some may end by themselves when their parent does."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def cpu(self, name: str = "") -> float:
        """Return the CPU seconds used by processes whose name begins with `name`; for the whole tree, with ended children."""
        total = 0.0
        for process in self.processes():
            try:
                if not name or process.name().startswith(name):
                    times = process.cpu_times()
                    total += times.user + times.system + (0.0 if name else times.children_user + times.children_system)
            except psutil.NoSuchProcess:
                continue
        return total

    def pss(self) -> float:
        """Return the proportional set size of the tree in MB (smaps_rollup): a page shared by n processes counts once."""
        total = 0
        for process in self.processes():
            try:
                with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
                    total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
            except (OSError, StopIteration):
                continue
        return total / 1000

    def watch_peak(self) -> threading.Thread:
        """Measure the PSS ten times a second and keep the highest, until `stop_watching`."""

        def watch() -> None:
            while not self._stop.wait(0.1):
                self.peak = max(self.peak, self.pss())

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        return thread

    def stop_watching(self) -> None:
        """End the measurement."""
        self._stop.set()


PATIENCE = 3.0
"""Factor on timeouts for busy machines: a timeout detects a hang, it does not measure speed."""


def wait_for(what: str, condition: Callable[[], bool], timeout: float, interval: float = 0.02) -> float:
    """Wait until `condition()` is true, for at most `PATIENCE` times `timeout`; return the seconds.

    Raises:
        TimeoutError: the condition stayed false.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > PATIENCE * timeout:
            raise TimeoutError(f"{what}: not within {PATIENCE * timeout:.0f} s")
        time.sleep(interval)
    return time.monotonic() - started
