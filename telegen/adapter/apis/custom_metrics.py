"""custom.metrics.k8s.io: metrics of objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telegen.adapter.apis.answers import bad_request, failed, metric_not_found, timestamp, unknown_path
from telegen.adapter.backend import SEVERAL, QueryError, RulesBackend
from telegen.adapter.cluster_objects import ListingError
from telegen.adapter.label_selectors import SelectorError, label_selector, parse_labels
from telegen.adapter.prometheus import Sample
from telegen.adapter.promql import Matcher, name_matcher, selector_matchers
from telegen.adapter.quantities import quantity
from telegen.adapter.registry import Metric
from telegen.adapter.rest_mapping import NAMESPACES, GroupResource, Mapped

GROUP = "custom.metrics.k8s.io"
VERSIONS = ("v1beta2", "v1beta1")
"""The preferred version first."""
ALL = "*"


@dataclass(frozen=True)
class _Request:
    """A request for one metric.

    Attributes:
        resource: as the request names it.
        name: of the object, or `*`.
    """

    version: str
    namespace: str
    resource: GroupResource
    name: str
    metric: str
    labels: str
    series_labels: str


class CustomMetrics:
    """Answers to requests by the rules."""

    def __init__(self, backend: RulesBackend) -> None:
        self._backend = backend

    def answer(self, version: str, segments: Sequence[str], params: Mapping[str, str]) -> dict[str, Any]:
        """Return a MetricValueList.

        Args:
            segments: of the path after the version.

        Raises:
            StatusError.
        """
        request = _parse(version, segments, params)
        try:
            parse_labels(request.labels)
            series_labels = parse_labels(request.series_labels)
            selector, matchers = label_selector(series_labels), selector_matchers(series_labels)
        except SelectorError as error:
            raise bad_request(str(error)) from error
        mapped = self._backend.mapping.find(request.resource)
        metric = self._backend.registry.custom.get((mapped.resource, request.metric)) if mapped else None
        if not mapped or not metric or (mapped.namespaced != bool(request.namespace)):
            raise metric_not_found(request.metric, request.resource)
        items = self._items(request, metric, mapped, matchers)
        return {
            "kind": "MetricValueList",
            "apiVersion": f"{GROUP}/{version}",
            "metadata": {},
            "items": [_item(request, mapped, selector, name, sample, value) for name, sample, value in items],
        }

    def _items(
        self, request: _Request, metric: Metric, mapped: Mapped, matchers: list[Matcher]
    ) -> Iterable[tuple[str, Sample, int]]:
        """Return name, sample and value of each object."""
        names = [request.name] if request.name != ALL else self._names(request, mapped)
        if not names:
            raise metric_not_found(request.metric, request.resource)
        if request.namespace:
            matchers = [*matchers, name_matcher(metric.namespace_label, [request.namespace])]
        try:
            samples = self._backend.samples(metric, [*matchers, name_matcher(metric.label, names)], [metric.label])
        except QueryError as error:
            raise failed(str(error), error.is_unanswered) from error
        if any(sample.labels is None for sample in samples):
            raise failed(f"{metric.rule.place}: the query gives a scalar; it must give a sample per object, by (<<.GroupBy>>)")
        found = self._by_name(metric, samples, frozenset(names))
        if request.name != ALL and not found:
            raise metric_not_found(request.metric, request.resource, request.name)
        return [(name, *found[name]) for name in names if name in found]

    def _names(self, request: _Request, mapped: Mapped) -> list[str]:
        try:
            return self._backend.objects.names(mapped, request.namespace, request.labels)
        except ListingError as error:
            raise failed(f"unable to list matching resources: {error}", True) from error

    def _by_name(self, metric: Metric, samples: list[Sample], names: frozenset[str]) -> dict[str, tuple[Sample, int]]:
        """Return the finite samples by object; of several for one object the first."""
        found = dict[str, tuple[Sample, int]]()
        for sample in samples:
            name = (sample.labels or {}).get(metric.label, "")
            if name not in names:
                continue
            if name in found:
                self._backend.left_out.add(metric.name, SEVERAL, name)
            elif (value := self._backend.finite(metric.name, sample)) is not None:
                found[name] = sample, value
        return found


def _parse(version: str, segments: Sequence[str], params: Mapping[str, str]) -> _Request:
    selectors = params.get("labelSelector", ""), params.get("metricLabelSelector", "")
    match segments:
        case ["namespaces", _, _]:
            raise bad_request("invalid request path")
        case [resource, name, metric]:
            return _Request(version, "", GroupResource.parse(resource), name, metric, *selectors)
        case ["namespaces", namespace, "metrics", metric]:
            return _Request(version, "", NAMESPACES, namespace, metric, *selectors)
        case ["namespaces", namespace, resource, name, metric]:
            return _Request(version, namespace, GroupResource.parse(resource), name, metric, *selectors)
    raise unknown_path()


def _item(
    request: _Request, mapped: Mapped, selector: dict[str, Any] | None, name: str, sample: Sample, value: int
) -> dict[str, Any]:
    """Return a MetricValue in the form of the version."""
    namespace = {"namespace": request.namespace} if request.namespace else {}
    described = {"kind": mapped.kind, **namespace, "name": name, "apiVersion": mapped.api_version}
    common = {"describedObject": described, "timestamp": timestamp(sample.time), "value": quantity(value)}
    if request.version == "v1beta1":
        return {**common, "metricName": request.metric, "selector": selector}
    return {**common, "metric": {"name": request.metric, "selector": selector}}
