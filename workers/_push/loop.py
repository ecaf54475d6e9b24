"""The work of the push worker: one thread composes pushes, another sends them.

So a receiver that hangs delays neither heartbeats nor the next push.
"""

from __future__ import annotations

import time
from typing import Literal

from telegen.kubemetrics.push_telemetry import PushTelemetry
from telegen.kubemetrics.signal_metadata import signal_attributes, signal_of
from telegen.otlp.attributes import attributes
from telegen.otlp.client import receiver_client
from telegen.otlp.composer import Composer
from telegen.otlp.points import ATTRIBUTE
from telegen.otlp.prometheus_naming import PrometheusNaming
from telegen.otlp.requests import Limits, Naming, Push
from telegen.otlp.sender import PushQueue, Sender
from telegen.otlp.settings import interval, receiver
from telegen.process.os_process import trim_memory
from workers._base import BEAT, Worker
from workers._push.events import PushEvents
from workers._push.sources import push_sources, store_filters
from workers._threads import Threads

END_MARGIN = 0.5
"""Seconds of flush_timeout that are kept for the end of the process."""
LOOK = 0.02
"""Seconds between two looks at the queue at the end."""


class PushLoop:
    """Composer, queue and sender of one push worker."""

    def __init__(self, worker: Worker) -> None:
        config, environ = worker.config, worker.shared.environ
        streaming, otlp = config.kube_metrics.streaming, config.kube_metrics.otlp
        self._worker, self._streaming = worker, streaming
        self._interval = interval(config, environ)
        self._telemetry = PushTelemetry()
        self._telemetry.interval.set(self._interval)
        target = receiver(config, environ, "metrics")
        self._events = PushEvents(self._telemetry, worker.log, target.address)
        self._composer = Composer(
            push_sources(worker), _naming(streaming.naming), self._shared_attributes, worker.beat, store_filters(worker)
        )
        self._queue = PushQueue(streaming.queue_size, self._drop)
        limits = Limits(streaming.batch_size, otlp.max_request_size)
        self._sender = Sender(self._queue, receiver_client(target), self._events, limits, self._interval)

    def run(self) -> None:
        """Push until the worker is to stop, on a clock that does not drift."""
        threads = Threads(self._worker)
        threads.start("send", self._sender.run)
        due = time.monotonic() + self._interval
        while self._wait_until(due):
            threads.check()
            self._push()
            # A push that takes longer than the interval is followed by the next one at once, not by several.
            due = max(due + self._interval, time.monotonic())
        self._end()

    def _wait_until(self, due: float) -> bool:
        """Wait; return False when the worker is to stop."""
        stop = self._worker.stop
        while not stop.is_set() and (left := due - time.monotonic()) > 0:
            self._worker.beat()
            stop.wait(min(left, BEAT))
        return not stop.is_set()

    def _push(self) -> None:
        """Put the push of this moment into the queue."""
        started = time.perf_counter()
        self._queue.put(self._composer.compose(time.time_ns()))
        self._events.queued(len(self._queue), self._queue.oldest)
        self._telemetry.encode_seconds.set(time.perf_counter() - started)
        trim_memory()

    def _drop(self, push: Push, is_begun: bool) -> None:
        """Note a push that the full queue has dropped; the sender counts what it has not sent of one that it has begun."""
        self._composer.owe(push)
        if not is_begun:
            self._events.given_up(len(push), "queue_full")

    def _end(self) -> None:
        """Send what is left, and the last points of all series that no other agent goes on with."""
        until = time.monotonic() + max(0.0, self._streaming.flush_timeout - END_MARGIN)
        leaving = self._worker.shared.deadlines.leaving
        last = self._composer.end(time.time_ns(), lambda origin: not (leaving and origin.leased))
        if len(last):
            self._queue.put(last)
        self._sender.hurry()
        while len(self._queue) and time.monotonic() < until:
            self._worker.beat()
            time.sleep(LOOK)
        self._sender.give_up()

    def _shared_attributes(self, family: str) -> bytes:
        """Encode the signal metadata of a family as attributes of its points."""
        return attributes(ATTRIBUTE, signal_attributes(signal_of(family), self._worker.config.kube_metrics.signal_metadata))


def _naming(name: Literal["prometheus", "semconv"]) -> Naming:
    if name == "prometheus":
        return PrometheusNaming()
    # PERF: imported only where it is wanted.
    from telegen.otlp.semconv_naming import SemconvNaming

    return SemconvNaming()
