"""Actions that a thread repeats while a test runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def repeated(period: float, action: Callable[[], None]) -> Iterator[None]:
    """Repeat an action.

    Args:
        period: seconds between two of them; the first one follows after as many.
    """
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(period):
            action()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
