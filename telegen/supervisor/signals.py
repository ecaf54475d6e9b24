"""Signals to the supervisor. A handler only notes the signal; the loop of the supervisor acts on it."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from types import FrameType

NOTED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)


class Signals:
    """Pending signals, and a pipe that ends a wait when a signal arrives.

    The pipe closes the race between the check for signals and the wait: a signal in between makes the pipe readable.
    """

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._wake_read, self._wake_write = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._wake_read, select.POLLIN)

    def install(self) -> None:
        """Install the handlers in this process."""
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in NOTED:
            signal.signal(number, self._note)

    def forsake(self) -> None:
        """Close the pipe in a forked child, which would otherwise wake the parent at its own signals."""
        signal.set_wakeup_fd(-1)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def wait(self, timeout: float) -> None:
        """Wait for a signal, for at most `timeout` seconds."""
        # Not select(2), which fails for descriptors from 1024 on: an agent of many shards or clusters has them.
        if self._poll.poll(max(0.0, timeout) * 1000):
            os.read(self._wake_read, 512)

    def take(self) -> Iterator[str]:
        """Yield and remove the names of pending signals in order of arrival: `hup`."""
        while self._numbers:
            yield signal.Signals(self._numbers.pop(0)).name[3:].lower()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._numbers.append(number)
