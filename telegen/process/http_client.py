"""Readings of errors and headers that every HTTP client of the agent needs."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from http.client import BadStatusLine, RemoteDisconnected

_OBJECT = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+>: ")


def cause(error: BaseException) -> str:
    """Return the message of the innermost error: urllib3 wraps the error of the system, and names objects by their address."""
    while (inner := _inner(error)) and inner is not error:
        error = inner
    if isinstance(error, BadStatusLine) and not isinstance(error, RemoteDisconnected):
        return f"the answer is not HTTP/1.1: {str(error)[:60]!r}"
    return _OBJECT.sub("", str(error)) or type(error).__name__


def _inner(error: BaseException) -> BaseException | None:
    """Return the error that another one wraps: its cause, reason, or last argument."""
    found = (error.__cause__, getattr(error, "reason", None), *error.args[-1:])
    return next((inner for inner in found if isinstance(inner, BaseException)), None)


def retry_after(header: str | None, most: float) -> float | None:
    """Return the seconds of a Retry-After header: a number or an HTTP date; None if it has neither.

    Args:
        most: longest delay in seconds that a server may ask for.
    """
    text = (header or "").strip()
    if text.isdecimal():
        return min(float(text), most)
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - time.time()), most)
    except (ValueError, TypeError, OverflowError):
        return None
