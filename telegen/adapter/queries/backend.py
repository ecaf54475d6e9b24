"""The rules over Prometheus: what is known of the cluster and of its metrics now, and queries."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from telegen.adapter.apis.answers import failed
from telegen.adapter.cluster_objects import KeptObjects, Objects
from telegen.adapter.prometheus import PrometheusError, Sample, Servers, Unanswered
from telegen.adapter.quantities import thousandths
from telegen.adapter.queries.promql import Matcher, name_matcher, render_query
from telegen.adapter.queries.registry import Metric, Registry, discover_metrics
from telegen.adapter.rest_mapping import RestMapping
from telegen.adapter.rules.model import RulesFile
from telegen.adapter.templates import Template, TemplateError

log = logging.getLogger(__name__)
NOT_FINITE = "not a finite number"
SEVERAL = "several samples for one object"


@dataclass
class LeftOut:
    """Samples that no answer contains.

    Attributes:
        counts: by metric and reason.
        note: called with the reason of each.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    note: Callable[[str], None] = lambda reason: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, metric: str, reason: str, sample: str, namespace: str) -> None:
        """Count a sample; log the first one of a metric and reason."""
        with self._lock:
            self.counts[metric, reason] += 1
            is_first = self.counts[metric, reason] == 1
        self.note(reason)
        if is_first:
            where = f" in namespace {namespace}" if namespace else ""
            log.warning("%s: sample of %s%s left out: %s; correct the query of its rule", metric, sample, where, reason)


class RulesBackend:
    """Metrics by the rules of a file.

    Attributes:
        rules: may be replaced; the metrics follow with the next `relist`.
        mapping: resources of the cluster.
        registry: metrics of the last discovery.
    """

    def __init__(self, rules: RulesFile, servers: Servers, objects: Objects, mapping: Callable[[], RestMapping]) -> None:
        """Prepare; nothing is known before the first `relist`.

        Args:
            mapping: asks the API server for its resources.
        """
        self.rules, self.servers, self.objects = rules, servers, KeptObjects(objects)
        self._read_mapping = mapping
        self.mapping, self.registry, self.left_out = RestMapping(()), Registry(), LeftOut()

    def relist(self, max_age: float) -> None:
        """Ask for the resources of the cluster and the series of Prometheus anew.

        Args:
            max_age: seconds back in time that a series counts.

        Raises:
            The errors of `mapping`; what is known stays.
        """
        self.mapping = self._read_mapping()
        last = self.registry
        self.registry = discover_metrics(self.rules, self.mapping, self.servers, max_age, last)
        for problem in self.registry.problems:
            if problem not in last.problems:
                log.warning("%s", problem)

    def samples(self, metric: Metric, namespace: str, matchers: Sequence[Matcher], names: Sequence[str] = ()) -> list[Sample]:
        """Return the samples of a metric.

        Args:
            namespace: to ask for; "" for a resource without one.
            matchers: of the series.
            names: of objects; () for an external metric.

        Raises:
            StatusError.
        """
        if namespace and metric.namespace_label:
            matchers = [*matchers, name_matcher(metric.namespace_label, [namespace])]
        if names:
            matchers = [*matchers, name_matcher(metric.label, names)]
        group_by = [metric.label] if names else []
        return self.query(metric.rule.place, metric.rule.query, metric.series, matchers, group_by, metric.servers)

    def query(
        self,
        place: str,
        template: Template,
        series: str,
        matchers: Sequence[Matcher],
        group_by: Sequence[str],
        servers: tuple[int, ...] = (),
    ) -> list[Sample]:
        """Return the samples of a query.

        Args:
            place: of the rule, for errors.
            servers: places of the servers to ask; () for all.

        Raises:
            StatusError: 503 if a server is the cause, 500 if the rule is.
        """
        try:
            return self.servers.query(render_query(template, series, matchers, group_by), servers)
        except (TemplateError, PrometheusError) as error:
            raise failed(f"{place}: {error}", isinstance(error, Unanswered)) from error

    def finite(self, name: str, sample: Sample, namespace: str) -> int | None:
        """Return the value of a sample in thousandths; count and log one that is not finite.

        Args:
            name: of the metric.
            namespace: of the request, as the labels of the sample may not have it; "" for none.
        """
        value = thousandths(sample.value)
        if value is None:
            labels = ",".join(f"{label}={value}" for label, value in sorted((sample.labels or {}).items()))
            self.left_out.add(name, NOT_FINITE, f"{{{labels}}} {sample.value}", namespace)
        return value
