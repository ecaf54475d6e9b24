"""Adapter worker: gunicorn, whose processes answer requests for the metrics APIs. Each has clients of the API server and of Prometheus:
the pod holds no other secrets, and no file of the node."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from telegen.adapter.agents.agent_usage import AgentUsage
from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.adapter.identity.authentication import Authenticator
from telegen.adapter.identity.guard import ClusterGuard
from telegen.adapter.identity.reviews import Reviews
from telegen.adapter.identity.trust_store import TrustStore
from telegen.adapter.web import make_app, make_plain_app
from telegen.kubemetrics.adapter_telemetry import AdapterTelemetry
from telegen.kubemetrics.app import CLIENT, by_port, own_exposition
from telegen.kubemetrics.clients import Limits
from telegen.kubemetrics.telemetry import Telemetry, reading_registry
from workers._adapter.agent_usage import make_usage
from workers._adapter.rules import RulesDiscovery, short_client
from workers._adapter.tls import AdapterTls
from workers._adapter.trust import watch_trust
from workers._base import Shared
from workers._gunicorn import GunicornWorker, HttpApplication

ANSWER_TIMEOUT = 60.0
"""Seconds for an answer, which may need several servers, each with a time-out of its own."""
LEAST_IDLE = 120
"""Seconds that a connection may be idle: longer than the 90 s after which the API server closes it, so that no request meets its end."""

START = 5.0
"""Most seconds until a new process serves, also if something is missing: connections wait in the queue of the socket."""

RELOAD = 1.0
"""Seconds for which the process of a configuration before still serves."""


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

    least_idle = LEAST_IDLE

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared, "adapter", "adapter.telemetry_address", lambda: shared.config.adapter.workers)

    def limits(self) -> Limits:
        """Give answers more time than those from shared memory need."""
        return replace(super().limits(), answer_timeout=ANSWER_TIMEOUT)

    def drain(self) -> float:
        """Serve on until the endpoint of the pod is taken out of the Service; at a reload, until clients have closed connections in use."""
        return float(self.shared.config.adapter.drain) if self.shared.deadlines.leaving else RELOAD

    def _wait_for(self, problems: Sequence[Callable[[], str]]) -> None:
        """Accept no request before there are answers: a process that follows a crash or a reload would refuse the API server's."""
        until = time.monotonic() + START
        while any(problem() for problem in problems) and time.monotonic() < until:
            self.worker.notify()
            time.sleep(0.02)

    def load(self) -> Any:
        """Make the application of one process."""
        shared, telemetry = self.shared, AdapterTelemetry()
        rules, trust, usage = RulesDiscovery(shared, telemetry), watch_trust(shared, self.telemetry), make_usage(shared, telemetry)
        tls = self.worker.security = AdapterTls(shared.certificates, trust, shared.config.adapter.tls)
        rules.start()
        checks = {
            "shutdown": lambda: "shutting down" if self.shared.deadlines.leaving else "",
            "certificate": lambda: tls.problem,
            "clients": lambda: trust.problem,
            "rules": lambda: rules.problem,
            **({"agents": usage.problem} if usage else {}),
        }
        self._wait_for([checks[name] for name in ("certificate", "clients", "rules")])
        registry = reading_registry(shared.heartbeats, shared.rows)
        pages = {"metrics": lambda accept: own_exposition(registry, accept)}
        apis, guard = _apis(shared, rules, usage, telemetry), _guard(shared, trust, telemetry)
        app = make_app(apis, checks, guard, lambda scope: tls.peer(_tls_of(scope)), pages, telemetry)
        return by_port(app, {} if self.plain_port is None else {self.plain_port: make_plain_app(checks, pages)})


def _apis(shared: Shared, rules: RulesDiscovery, usage: AgentUsage | None, telemetry: AdapterTelemetry) -> MetricsApis:
    settings = shared.config.adapter
    backend = rules.backend if settings.rules_file else None
    return MetricsApis(backend, usage, settings.groups, settings.external_families, observer=telemetry)


def _guard(shared: Shared, trust: TrustStore, telemetry: AdapterTelemetry) -> ClusterGuard:
    reviews = Reviews(lambda: short_client(shared), telemetry.reviewed)
    return ClusterGuard(Authenticator(lambda: trust.trust, reviews.user_of), reviews)


def _tls_of(scope: Mapping[str, Any]) -> ssl.SSLObject | None:
    """Return the TLS session of a request's connection, None without TLS."""
    found: ssl.SSLObject | None = scope[CLIENT].transport.get_extra_info("ssl_object")
    return found
