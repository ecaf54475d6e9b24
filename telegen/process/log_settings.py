"""Settings of a process's logs, which follow a reload without a restart."""

from __future__ import annotations

from telegen.config.model import Log
from telegen.process.logs import Note, configure
from telegen.shm.shared_value import SharedText


class LogSettings:
    """The settings in force in this process.

    Args:
        process: name in each line.
        log: the settings at the start of the process.
        shared: `LEVEL FORMAT` since the last reload, "" before.
        note: called with each warning and error.
    """

    def __init__(self, process: str, log: Log, shared: SharedText, note: Note | None = None) -> None:
        self._process, self._shared, self._note = process, shared, note
        self._current = log_text(log)
        configure(process, log.level, log.format, note)

    def follow(self) -> bool:
        """Adopt the settings of the last reload; return True if they have changed."""
        text = self._shared.read()
        if not text or text == self._current:
            return False
        self._current = text
        level, format = text.split()
        configure(self._process, level, format, self._note)
        return True


def log_text(log: Log) -> str:
    """Return `LEVEL FORMAT`."""
    return f"{log.level} {log.format}"
