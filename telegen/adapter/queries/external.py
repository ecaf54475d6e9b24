"""Metrics without an object by the external rules."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.adapter.apis.answers import bad_request, metric_not_found
from telegen.adapter.apis.values import RULE, ExternalValue
from telegen.adapter.label_selectors import Requirement, SelectorError
from telegen.adapter.queries.backend import RulesBackend
from telegen.adapter.queries.promql import selector_matchers


class ExternalQueries:
    """Backend of external.metrics.k8s.io over Prometheus."""

    source = RULE

    def __init__(self, backend: RulesBackend) -> None:
        self._backend = backend

    def listed(self) -> Iterable[str]:
        """Return the names of the last discovery of series."""
        return self._backend.registry.external

    def values(self, metric: str, namespace: str, terms: tuple[Requirement, ...]) -> list[ExternalValue]:
        """Return the finite samples of one query. Raises StatusError."""
        try:
            matchers = selector_matchers(terms)
        except SelectorError as error:
            raise bad_request(str(error)) from error
        found = self._backend.registry.external.get(metric)
        if not found:
            raise metric_not_found(metric, "")
        samples = self._backend.samples(found, namespace, matchers)
        finite = ((sample, self._backend.finite(metric, sample, namespace)) for sample in samples)
        return [ExternalValue(sample.labels, value, sample.time) for sample, value in finite if value is not None]
