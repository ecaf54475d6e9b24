"""Signals to the supervisor: a handler only notes that one has come, and the loop does what it says."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from types import FrameType

NOTED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)


class Signals:
    """What has come and has not been taken, and a pipe by which each signal ends a wait."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._wake_read, self._wake_write = os.pipe()

    def install(self) -> None:
        """Note signals from now on, in this process."""
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in NOTED:
            signal.signal(number, self._note)

    def forsake(self) -> None:
        """In a child: the parent's signals are no business of this process."""
        signal.set_wakeup_fd(-1)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def wait(self, timeout: float) -> None:
        """Until a signal comes, or for so many seconds."""
        readable, _, _ = select.select([self._wake_read], [], [], timeout)
        if readable:
            os.read(self._wake_read, 512)

    def take(self) -> Iterator[str]:
        """The names of those that have come, the first one first: `hup`."""
        while self._numbers:
            yield signal.Signals(self._numbers.pop(0)).name[3:].lower()

    def _note(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        self._numbers.append(number)
