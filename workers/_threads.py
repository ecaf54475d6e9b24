"""The threads of a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable

from workers._base import Worker


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
