"""A scrape target whose values a test sets, and the Prometheus that scrapes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.adapter.cluster import HERE
from tests.adapter.replay import served_json
from tests.cluster.adapter.objects import NAMESPACE
from tests.cluster.prometheus import Prometheus, prometheus
from tests.process_tree import wait_for

JOB = "synthetic"
AT_REST = {
    'http_hits{namespace="shop",pod="web-%d",verb="GET"}': 4.0,
    'http_hits{namespace="shop",pod="web-%d",verb="PUT"}': 1000.0,
    'front_load{namespace="shop",service="front"}': 40.0,
    'front_load{namespace="shop",service="other"}': 9000.0,
    'rows_left{namespace="shop",job_name="import"}': 40.0,
    'tickets{namespace="shop"}': 16.0,
    'queue_depth{namespace="shop",env="p",queue="orders"}': 10.0,
    'queue_depth{namespace="shop",env="q",queue="orders"}': 6.0,
    'queue_depth{namespace="shop",env="z",queue="orders"}': 7000.0,
    'queue_depth{namespace="data",env="p",queue="orders"}': 8000.0,
}
"""Series and values; `%d` stands for the numbers of the pods."""


class Target:
    """The page, beside the recorded gauges of tests/adapter, some of which are no finite numbers.

    Attributes:
        values: by series of AT_REST; a test may change them.
    """

    def __init__(self, pods: int) -> None:
        self._pods = pods
        self._recorded = (HERE / "gauges.prom").read_text()
        self.values = dict(AT_REST)

    def page(self) -> bytes:
        lines = []
        for series, value in self.values.items():
            lines += [f"{series % number} {value}" for number in range(1, self._pods + 1)] if "%d" in series else [f"{series} {value}"]
        return (self._recorded + "\n".join(lines) + "\n").encode()


@contextlib.contextmanager
def scraped(target: Target, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes a target each second."""
    folder.mkdir()
    with served_json(lambda path, form: (200, target.page())) as url:
        job = {"job_name": JOB, "honor_labels": True, "static_configs": [{"targets": [url.removeprefix("http://")]}]}
        with prometheus({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}, folder) as server:
            wait_for("a scrape", lambda: bool(server.query(f'queue_depth{{namespace="{NAMESPACE}"}}')), 30, 0.1)
            yield server
