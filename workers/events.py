"""Events worker: sends Kubernetes events as OTLP logs while this agent serves the first shard."""

from __future__ import annotations

from workers._base import Worker


class EventsWorker(Worker):
    """Watches events, and sends each occurrence once per cluster."""

    def run(self) -> None:
        """Send until SIGTERM."""
        # PERF: imported here, after the fork: an agent that sends no events spends no memory on OTLP.
        from workers._events.loop import EventLoop

        EventLoop(self).run()
