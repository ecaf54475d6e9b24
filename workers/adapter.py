"""Adapter worker: gunicorn, whose processes answer requests for the metrics APIs. They have an API client of their own, as the pod
holds nothing that they could not read anyway."""

from __future__ import annotations

from typing import Any

from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.adapter.web import make_app
from telegen.kubemetrics.telemetry import Telemetry
from workers._adapter_rules import RulesDiscovery
from workers._adapter_tls import AdapterTlsContext
from workers._base import Shared
from workers._gunicorn import GunicornWorker, HttpApplication


class AdapterWorker(GunicornWorker):
    """Runs gunicorn's arbiter, whose child processes serve."""

    def make_telemetry(self) -> Telemetry:
        """Make the arbiter's metrics; each process below it makes its own."""
        return Telemetry(self.assignment.name)

    def run(self) -> None:
        """Serve until gunicorn is told to stop."""
        self.serve(_Application(self.shared), lambda: self.config.adapter.workers)


class _Application(HttpApplication):
    """The metrics APIs."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared, "adapter", "adapter.telemetry_address", lambda: shared.config.adapter.workers)

    def load(self) -> Any:
        """Make the application of one process."""
        rules = RulesDiscovery(self.shared)
        rules.start()
        self.worker.security = AdapterTlsContext(self.shared.config.adapter.tls)
        return make_app(MetricsApis(rules.backend), lambda: rules.problem)
