"""Regular expressions in settings: Python or JavaScript syntax, with a limit on their CPU time."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import FrameType

SEARCH_TIME = 1.0
"""CPU seconds that one expression may take over the names of all families. Usual ones take 0.2 ms."""

_NAMED_GROUP = re.compile(r"(\\.)|\(\?<(?![=!])")


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> re.Pattern[str]:
    """Compile an expression; JavaScript's `(?<name>...)` is supported as well.

    Raises:
        ValueError: the expression is invalid.
    """
    try:
        return re.compile(_NAMED_GROUP.sub(lambda found: found[1] or "(?P<", text))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text[:100]!r} is not a valid regular expression: {error}") from error


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Limit the CPU time of the context, `re` searches included. For the main thread only.

    Raises:
        TimeoutError: the context used more than `seconds`.
    """
    # A timer signal works because `re` checks for pending signals while it searches, and Python handles signals in the main
    # thread only.

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {seconds:g} s of CPU time")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def slow_patterns(patterns: Sequence[str], names: Sequence[str], path: str) -> Iterator[str]:
    """Yield an error for each expression that backtracks for longer than `SEARCH_TIME`. For the main thread only.

    Args:
        names: of the families that the expressions select from.
        path: of the setting.
    """
    # Python's expressions have no time limit of their own, and a worker that hangs in one is restarted for ever.
    for at, pattern in enumerate(patterns):
        search = compile_pattern(pattern).search
        try:
            with cpu_limit(SEARCH_TIME):
                for name in names:
                    search(name)
        except TimeoutError as error:
            cure = "avoid repetitions inside repetitions, as in (a+)+"
            yield f"{path}[{at}]: {pattern[:100]!r} takes {error} on the names of the families; {cure}"
