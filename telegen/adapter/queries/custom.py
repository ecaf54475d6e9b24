"""Metrics of objects by the rules."""

from __future__ import annotations

from collections.abc import Iterator

from telegen.adapter.apis.answers import bad_request, failed
from telegen.adapter.apis.values import ALL, RULE, CustomRequest, ObjectValue
from telegen.adapter.cluster_objects import ListingError
from telegen.adapter.label_selectors import SelectorError
from telegen.adapter.prometheus import Sample
from telegen.adapter.queries.backend import SEVERAL, RulesBackend
from telegen.adapter.queries.promql import selector_matchers
from telegen.adapter.queries.registry import Metric
from telegen.adapter.rest_mapping import GroupResource, Mapped


class CustomQueries:
    """Backend of custom.metrics.k8s.io over Prometheus."""

    source = RULE

    def __init__(self, backend: RulesBackend) -> None:
        self._backend = backend

    def listed(self) -> Iterator[tuple[Mapped, str]]:
        """Yield resource and name of each metric of the last discovery of series."""
        for (_, name), metric in self._backend.registry.custom.items():
            if metric.resource:
                yield metric.resource, name

    def find(self, resource: GroupResource, metric: str) -> Mapped | None:
        """Return the resource of a metric, None if no rule makes it."""
        mapped = self._backend.mapping.find(resource)
        return mapped if mapped and (mapped.resource, metric) in self._backend.registry.custom else None

    def values(self, request: CustomRequest, mapped: Mapped) -> list[ObjectValue] | None:
        """Return the values of the wanted objects by one query, None if no object is selected. Raises StatusError."""
        try:
            matchers = selector_matchers(request.series_terms)
        except SelectorError as error:
            raise bad_request(str(error)) from error
        names = [request.name] if request.name != ALL else self._names(request, mapped)
        metric = self._backend.registry.custom.get((mapped.resource, request.metric))
        if not names or not metric:
            return None
        samples = self._backend.samples(metric, request.namespace, matchers, names)
        if any(sample.labels is None for sample in samples):
            raise failed(f"{metric.rule.place}: the query gives a scalar; it must give a sample per object, by (<<.GroupBy>>)")
        found = self._by_name(metric, samples, frozenset(names), request.namespace)
        return [found[name] for name in names if name in found]

    def _names(self, request: CustomRequest, mapped: Mapped) -> list[str]:
        try:
            return self._backend.objects.names(mapped, request.namespace, request.labels)
        except ListingError as error:
            raise failed(f"unable to list matching resources: {error}", True) from error

    def _by_name(self, metric: Metric, samples: list[Sample], names: frozenset[str], namespace: str) -> dict[str, ObjectValue]:
        """Return the finite samples by object; of several for one object the first."""
        found = dict[str, ObjectValue]()
        for sample in samples:
            name = (sample.labels or {}).get(metric.label, "")
            if name not in names:
                continue
            if name in found:
                self._backend.left_out.add(metric.name, SEVERAL, name, namespace)
            elif (value := self._backend.finite(metric.name, sample, namespace)) is not None:
                found[name] = ObjectValue(name, value, sample.time)
        return found
