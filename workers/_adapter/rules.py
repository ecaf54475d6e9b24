"""Rules of an adapter process: the thread that discovers their metrics, and follows the rules file."""

from __future__ import annotations

import logging
import time

from telegen.adapter.cluster_objects import ClusterObjects
from telegen.adapter.groups import CUSTOM, EXTERNAL
from telegen.adapter.queries.backend import RulesBackend
from telegen.adapter.rest_mapping import RestMapping
from telegen.adapter.rules.model import RulesFile
from telegen.adapter.rules.reading import parse_rules
from telegen.adapter.servers import make_servers
from telegen.api.client import Client
from telegen.api.discovery import discover
from telegen.api.errors import ApiError, ProtocolError, Unreachable
from telegen.config.adapter_model import Adapter
from telegen.kubemetrics.adapter_telemetry import AdapterTelemetry
from workers._base import Shared
from workers._client_factory import make_client
from workers._threads import start_again

log = logging.getLogger("telegen.adapter")
LOOK = 1.0
"""Seconds between two looks at the rules and at the time of the next discovery."""
RETRY = 5.0
"""Seconds after which a discovery that failed is repeated."""
REQUEST_TIMEOUT = 10.0
"""Seconds without data after which a request to the API server has failed: a client waits for it."""
LEAST_AGE = 300.0
"""Seconds that a series counts at least by default: with less, metrics vanish when a scrape interval is as long."""


def short_client(shared: Shared) -> Client:
    """Make a client for requests that an answer depends on."""
    return make_client(shared, read_timeout=REQUEST_TIMEOUT)


class RulesDiscovery:
    """Keeps the metrics of the rules up to date.

    Attributes:
        backend: answers by them.
        problem: reason why nothing is known yet, "" after the first discovery.
    """

    def __init__(self, shared: Shared, telemetry: AdapterTelemetry) -> None:
        self._telemetry = telemetry
        settings = shared.config.adapter
        self._shared, self._interval, self._max_age = shared, float(settings.relist_interval), series_age(settings)
        self._number = -1
        self._client = short_client(shared)
        objects = ClusterObjects(lambda: short_client(shared))
        self.backend = RulesBackend(RulesFile(), make_servers(settings.prometheus, shared.environ), objects, self._mapping)
        self.backend.left_out.note = telemetry.left_out
        self.problem = "the metrics of the rules are not known yet" if settings.rules_file else ""

    def start(self) -> None:
        """Discover in a thread of its own until the process ends, if there is a rules file."""
        if not self._shared.config.adapter.rules_file:
            return
        start_again("relist", self._run, log)

    def _run(self) -> None:
        due = 0.0
        while True:
            is_new = self._follow()
            if is_new or time.monotonic() >= due:
                due = time.monotonic() + (self._interval if self._relist() else min(RETRY, self._interval))
            time.sleep(LOOK)

    def _follow(self) -> bool:
        """Adopt changed rules; return True if they have changed. The supervisor publishes only files that can be read."""
        if self._shared.rules.number == self._number:
            return False
        self._number, content = self._shared.rules.read()
        self.backend.rules = parse_rules(content, self._shared.config.adapter.rules_file)
        for line in (*self.backend.rules.problems, *self.backend.rules.warnings):
            log.warning("%s", line)
        return True

    def _relist(self) -> bool:
        """Return True after a discovery; its failures are logged."""
        try:
            self.backend.relist(self._max_age)
        except (ApiError, Unreachable, ProtocolError) as error:
            self._telemetry.relisted(False, {})
            log.warning("resources of the cluster cannot be read: %s; retrying in %.0f s", error, min(RETRY, self._interval))
            return False
        registry = self.backend.registry
        self._telemetry.relisted(not registry.problems, {CUSTOM: len(registry.custom), EXTERNAL: len(registry.external)})
        self.problem = ""
        return True

    def _mapping(self) -> RestMapping:
        return RestMapping(discover(self._client, None).resources)


def series_age(settings: Adapter) -> float:
    """Return the seconds that a series counts."""
    return float(settings.max_age or max(settings.relist_interval, LEAST_AGE))
