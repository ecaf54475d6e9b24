"""Load on the metrics APIs while something happens to the adapters, and what of it failed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import urllib3

from tests.cluster.adapter.cluster import Cluster
from tests.cluster.control_plane import Refused

PATHS = (
    "metrics.k8s.io/v1beta1/namespaces/shop/pods",
    "metrics.k8s.io/v1beta1/nodes",
    "custom.metrics.k8s.io/v1beta2/namespaces/shop/services/front/front_load",
    "external.metrics.k8s.io/v1beta1/namespaces/shop/queue_depth",
)
PAUSE = 0.02
"""Seconds between two requests of a thread, and two looks at the controllers' counts."""


@dataclass
class Load:
    """Requests through the API server, beside those of the autoscalers.

    Attributes:
        answered: number of requests that succeeded.
        failures: time and reason of requests and of autoscalers' metrics that failed.
    """

    answered: int = 0
    failures: list[tuple[float, str]] = field(default_factory=list)

    def failed_after(self, moment: float) -> list[str]:
        """Return what failed later than a monotonic time."""
        return [f"{when - moment:.2f} s later: {why}" for when, why in self.failures if when > moment]


@contextlib.contextmanager
def load(cluster: Cluster) -> Iterator[Load]:
    """Send requests all the time, and watch the autoscalers."""
    made, stop = Load(), threading.Event()

    def ask(path: str) -> None:
        while not stop.wait(PAUSE):
            try:
                cluster.raw(path)
                made.answered += 1
            except (Refused, urllib3.exceptions.HTTPError) as error:
                made.failures.append((time.monotonic(), str(error)))

    def watch() -> None:
        last = cluster.controllers.computed()[1]
        while not stop.wait(PAUSE):
            failed = cluster.controllers.computed()[1]
            if failed > last:
                made.failures.append((time.monotonic(), f"{failed - last:.0f} metrics of autoscalers"))
            last = failed

    threads = [threading.Thread(target=ask, args=(path,), daemon=True) for path in PATHS]
    threads.append(threading.Thread(target=watch, daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
