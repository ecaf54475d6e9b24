"""external.metrics.k8s.io: metrics that belong to no object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from telegen.adapter.apis.answers import bad_request, failed, metric_not_found, timestamp, unknown_path
from telegen.adapter.backend import QueryError, RulesBackend
from telegen.adapter.label_selectors import SelectorError, parse_labels
from telegen.adapter.promql import Matcher, name_matcher, selector_matchers
from telegen.adapter.quantities import quantity

GROUP = "external.metrics.k8s.io"
VERSIONS = ("v1beta1",)


class ExternalMetrics:
    """Answers to requests by the external rules."""

    def __init__(self, backend: RulesBackend) -> None:
        self._backend = backend

    def answer(self, version: str, segments: Sequence[str], params: Mapping[str, str]) -> dict[str, Any]:
        """Return an ExternalMetricValueList. A sample whose value is not finite is left out.

        Args:
            segments: of the path after the version.

        Raises:
            StatusError.
        """
        match segments:
            case ["namespaces", namespace, name]:
                pass
            case _:
                raise unknown_path()
        try:
            matchers = selector_matchers(parse_labels(params.get("labelSelector", "")))
        except SelectorError as error:
            raise bad_request(str(error)) from error
        items = list(self._items(name, namespace, matchers))
        return {"kind": "ExternalMetricValueList", "apiVersion": f"{GROUP}/{version}", "metadata": {}, "items": items}

    def _items(self, name: str, namespace: str, matchers: list[Matcher]) -> Iterator[dict[str, Any]]:
        """Yield an ExternalMetricValue for each finite sample."""
        metric = self._backend.registry.external.get(name)
        if not metric:
            raise metric_not_found(name, "")
        if metric.namespace_label:
            matchers = [*matchers, name_matcher(metric.namespace_label, [namespace])]
        try:
            samples = self._backend.samples(metric, matchers, ())
        except QueryError as error:
            raise failed(str(error), error.is_unanswered) from error
        for sample in samples:
            if (value := self._backend.finite(name, sample)) is not None:
                head = {"metricName": name, "metricLabels": sample.labels}
                yield {**head, "timestamp": timestamp(sample.time), "value": quantity(value)}
