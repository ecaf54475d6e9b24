"""The threads of a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable

from workers._base import Worker


class Threads:
    """What ends one of them before its time is logged, and ends the worker: it is started again as a whole."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._threads: list[threading.Thread] = []

    def start(self, name: str, run: Callable[[], None]) -> None:
        """One more, which runs until the worker is to stop."""
        thread = threading.Thread(target=self._guarded, args=(name, run), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def check(self) -> None:
        """Make sure that they all live.

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
            self._worker.log.exception("%s: ended by an error that nothing foresaw", name)
