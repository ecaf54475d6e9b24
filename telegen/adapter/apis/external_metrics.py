"""external.metrics.k8s.io: metrics that belong to no object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from telegen.adapter.apis.answers import bad_request, metric_not_found, timestamp, unknown_path
from telegen.adapter.apis.discovery_documents import ListedResource, sorted_resources
from telegen.adapter.apis.list_options import check_list
from telegen.adapter.apis.negotiation import negotiate
from telegen.adapter.apis.values import ExternalBackend, ExternalValue, NotObserved, ValueObserver
from telegen.adapter.groups import EXTERNAL as GROUP
from telegen.adapter.label_selectors import SelectorError, parse_fields, parse_labels
from telegen.adapter.quantities import quantity


class ExternalMetrics:
    """Answers to requests, each by the first backend that has the metric."""

    def __init__(self, backends: Sequence[ExternalBackend], observer: ValueObserver = NotObserved()) -> None:
        self._backends, self._observer = backends, observer

    def listed(self) -> Sequence[ListedResource]:
        """Return the metrics of all backends, sorted by name."""
        names = {name for backend in self._backends for name in backend.listed()}
        return sorted_resources(ListedResource(name, True, "ExternalMetricValueList", ("get",)) for name in names)

    def answer(self, version: str, segments: Sequence[str], params: Mapping[str, str], accept: str) -> dict[str, Any]:
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
        negotiate(accept)
        try:
            terms = parse_labels(params.get("labelSelector", ""))
            parse_fields(params.get("fieldSelector", ""))  # Values have no fields; one that does not parse is refused as elsewhere.
        except SelectorError as error:
            raise bad_request(str(error)) from error
        check_list(params, name, GROUP)
        backend = next((one for one in self._backends if name in one.listed()), None)
        if not backend:
            raise metric_not_found(name, "")
        values = backend.values(name, namespace, terms)
        self._observer.served(GROUP, backend.source, [one.time for one in values])
        items = [_item(name, one) for one in values]
        return {"kind": "ExternalMetricValueList", "apiVersion": f"{GROUP}/{version}", "metadata": {}, "items": items}


def _item(name: str, one: ExternalValue) -> dict[str, Any]:
    return {"metricName": name, "metricLabels": one.labels, "timestamp": timestamp(one.time), "value": quantity(one.value)}
