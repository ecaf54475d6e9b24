"""The threads of a worker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from workers._base import Worker

AGAIN = 10.0
"""Seconds after which `start_again` runs a failed thread again."""


class Threads:
    """Threads of which none may end: the failure of one is logged and ends the worker, which is restarted as a whole."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._threads: list[threading.Thread] = []

    def start(self, name: str, run: Callable[[], None]) -> None:
        """Start a thread that runs until the worker stops."""
        thread = threading.Thread(target=self._guarded, args=(name, run), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def check(self) -> None:
        """Check that all threads live.

        Raises:
            RuntimeError: one has ended.
        """
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        if dead and not self._worker.stop.is_set():
            raise RuntimeError(f"thread {', '.join(dead)} has ended")

    def _guarded(self, name: str, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception:
            self._worker.log.exception("thread %s crashed", name)


def start_again(name: str, run: Callable[[], None], log: logging.Logger) -> None:
    """Start a thread that lasts as long as the process. A failure is logged, and it runs again after `AGAIN` seconds.

    For gunicorn's processes: their end would cost the requests that do not need this thread, and gunicorn restarts them without delay.
    """

    def forever() -> None:
        while True:
            try:
                run()
            except Exception:
                log.exception("thread %s crashed; it runs again in %.0f s", name, AGAIN)
            time.sleep(AGAIN)

    threading.Thread(target=forever, name=name, daemon=True).start()
