"""Regular expressions of the configuration: written as in JavaScript or Python, bounded in the time they may take."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import FrameType

_NAMED_GROUP = re.compile(r"(\\.)|\(\?<(?![=!])")


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> re.Pattern[str]:
    """Compile an expression; JavaScript's `(?<name>...)` is understood as well.

    Raises:
        ValueError: it is none; says why.
    """
    try:
        return re.compile(_NAMED_GROUP.sub(lambda found: found[1] or "(?P<", text))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text[:100]!r} is no regular expression: {error}") from error


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """A context that may use so much CPU time. Only for the main thread: the `re` module looks for signals while it
    searches, and those come there.

    Raises:
        TimeoutError: it used more.
    """

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {seconds:g} s of CPU time")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
