"""Readings of errors and headers that every HTTP client of the agent needs."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

_OBJECT = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+>: ")


def cause(error: BaseException) -> str:
    """Return the message of the innermost error: urllib3 wraps the error of the system, and names objects by their address."""
    while isinstance(inner := error.__cause__ or getattr(error, "reason", None), BaseException) and inner is not error:
        error = inner
    return _OBJECT.sub("", str(error)) or type(error).__name__


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
