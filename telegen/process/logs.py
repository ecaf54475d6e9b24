"""Logs on standard error, as text or JSON; each line names its process."""

from __future__ import annotations

import logging
import sys
from datetime import datetime, timezone

import orjson

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _Text(logging.Formatter):
    """Formatter of lines such as `2026-11-24T09:30:00.120Z info    watch-pods: pods: synced 120 objects`."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname.lower():<7} {self._process}: {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


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
        return orjson.dumps(fields).decode()


def _time(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def configure(process: str, level: str, format: str) -> None:
    """Send this process's logs to standard error.

    Args:
        process: name in each line, `watch-pods`.
        level: debug, info, warning or error.
        format: text or json.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(process) if format == "json" else _Text(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    logging.captureWarnings(True)
    for noisy in ("urllib3", "kubernetes"):
        logging.getLogger(noisy).setLevel(max(_LEVELS[level], logging.WARNING))
