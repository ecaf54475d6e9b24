"""CPU and memory of a process and all below it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil


@dataclass
class Tree:
    """A running agent, as the kernel accounts for it."""

    root: psutil.Process
    peak: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, pid: int) -> Tree:
        """The tree below a process."""
        return cls(psutil.Process(pid))

    def processes(self) -> list[psutil.Process]:
        """Everybody in it now."""
        return [self.root, *self.root.children(recursive=True)]

    def cpu(self, name: str = "") -> float:
        """CPU seconds used so far, by processes whose name begins with `name`; ended children included for the whole
        tree."""
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
        """Proportional set size of all together in MB (smaps_rollup): a page shared by n processes counts once."""
        total = 0
        for process in self.processes():
            try:
                with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
                    total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
            except (OSError, StopIteration):
                continue
        return total / 1000

    def watch_peak(self) -> threading.Thread:
        """Note the highest PSS from now on, ten times a second, until `stop_watching`."""

        def watch() -> None:
            while not self._stop.wait(0.1):
                self.peak = max(self.peak, self.pss())

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        return thread

    def stop_watching(self) -> None:
        """No more."""
        self._stop.set()


PATIENCE = 3.0
"""How much longer things may take on a machine that is busy with others: waiting has bounds, not bars."""


def wait_for(what: str, condition: Callable[[], bool], timeout: float, interval: float = 0.02) -> float:
    """Seconds until `condition()` is true; waits `PATIENCE` times as long as it takes at the most.

    Raises:
        TimeoutError: it never was.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > PATIENCE * timeout:
            raise TimeoutError(f"{what}: not within {PATIENCE * timeout:.0f} s")
        time.sleep(interval)
    return time.monotonic() - started
