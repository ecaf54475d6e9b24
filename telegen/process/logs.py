"""Logs on standard error, as text or JSON; each line names its process."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from datetime import datetime, timezone

import orjson

from telegen.process.log_repeats import RepeatFilter

Note = Callable[[str], None]
"""Function of the text of a warning."""

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

NOISY = ("urllib3", "kubernetes", "telegen.web")
"""Loggers of libraries that write from severity warning on; gunicorn uses `telegen.web`."""

# Control characters of ASCII and Latin-1, separators of lines, and marks that change the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _escaped(text: str) -> str:
    """Escape characters by which a name from the API could forge a line or control a terminal."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Text(logging.Formatter):
    """Formatter of lines such as `2026-11-24T09:30:00.120Z info    watch-pods: pods: synced 120 objects`."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname.lower():<7} {self._process}: {_escaped(record.getMessage())}"
        if not record.exc_info:
            return line
        # Indented, because the text of an exception may have lines of its own.
        return "\n  ".join([line, *map(_escaped, self.formatException(record.exc_info).split("\n"))])


class _Json(_Text):
    """Formatter of one JSON object per line: time, level, process, logger, message and, after an exception, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        # Names of files may have bytes that are not UTF-8, which JSON cannot represent.
        return orjson.dumps({key: value.encode(errors="backslashreplace").decode() for key, value in fields.items()}).decode()


def _time(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


class _Notes(logging.Handler):
    """Passes warnings and errors on."""

    def __init__(self, note: Note) -> None:
        super().__init__(logging.WARNING)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(_escaped(record.getMessage()))


def configure(process: str, level: str, format: str, note: Note | None = None) -> None:
    """Send this process's logs to standard error.

    Args:
        process: name in each line, `watch-pods`.
        level: debug, info, warning or error.
        format: text or json.
        note: called with the text of each warning and error.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(process) if format == "json" else _Text(process))
    handler.addFilter(RepeatFilter(handler.emit))
    root = logging.getLogger()
    root.handlers[:] = [handler, _Notes(note)] if note else [handler]
    _set_level(root, _LEVELS[level])
    logging.captureWarnings(True)
    for noisy in NOISY:
        _set_level(logging.getLogger(noisy), max(_LEVELS[level], logging.WARNING))


def _set_level(logger: logging.Logger, level: int) -> None:
    """Set the level of a logger.

    A level that is set clears the cache of every logger, and a forked process copies the memory of all of them (0.2 MB).
    """
    if logger.level != level:
        logger.setLevel(level)
