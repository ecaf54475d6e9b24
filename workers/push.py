"""Push worker: sends every family of the shared memory to an OTLP receiver at a fixed interval."""

from __future__ import annotations

from workers._base import Worker


class PushWorker(Worker):
    """Composes a push per interval, and sends it."""

    def run(self) -> None:
        """Push until SIGTERM, then end the series that no other agent goes on with."""
        # PERF: imported here, after the fork: an agent that pushes nothing spends no memory on OTLP.
        from workers._push.loop import PushLoop

        PushLoop(self).run()
