"""custom.metrics.k8s.io: metrics of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from telegen.adapter.apis.answers import bad_request, metric_not_found, timestamp, unknown_path
from telegen.adapter.apis.discovery_documents import ListedResource, sorted_resources
from telegen.adapter.apis.list_options import check_numbers
from telegen.adapter.apis.negotiation import negotiate
from telegen.adapter.apis.values import ALL, CustomBackend, CustomRequest, NotObserved, ObjectValue, ValueObserver
from telegen.adapter.groups import CUSTOM as GROUP
from telegen.adapter.label_selectors import FieldTerm, SelectorError, label_selector, parse_fields, parse_labels
from telegen.adapter.quantities import quantity
from telegen.adapter.rest_mapping import NAMESPACES, GroupResource, Mapped


class CustomMetrics:
    """Answers to requests, each by the first backend that has the metric."""

    def __init__(self, backends: Sequence[CustomBackend], observer: ValueObserver = NotObserved()) -> None:
        self._backends, self._observer = backends, observer

    def listed(self) -> Sequence[ListedResource]:
        """Return the metrics of all backends, sorted by name."""
        found = {f"{mapped.resource}/{name}": mapped.namespaced for backend in self._backends for mapped, name in backend.listed()}
        return sorted_resources(ListedResource(name, namespaced, "MetricValueList", ("get",)) for name, namespaced in found.items())

    def answer(self, version: str, segments: Sequence[str], params: Mapping[str, str], accept: str) -> dict[str, Any]:
        """Return a MetricValueList.

        Args:
            segments: of the path after the version.

        Raises:
            StatusError.
        """
        request = _parse(segments, params)
        negotiate(accept)
        try:
            selector = label_selector(request.series_terms)
        except SelectorError as error:
            raise bad_request(str(error)) from error
        mapped, values = self._values(request)
        namespace = {"namespace": request.namespace} if request.namespace else {}
        described = {"kind": mapped.kind, **namespace, "apiVersion": mapped.api_version}
        item = _item_v1beta1 if version == "v1beta1" else _item
        return {
            "kind": "MetricValueList",
            "apiVersion": f"{GROUP}/{version}",
            "metadata": {},
            "items": [item(described, request.metric, selector, one) for one in values],
        }

    def _values(self, request: CustomRequest) -> tuple[Mapped, list[ObjectValue]]:
        """Return the resource of a metric and its values; at least one for an object that is asked for by name."""
        for backend in self._backends:
            mapped = backend.find(request.resource, request.metric)
            if not mapped or mapped.namespaced != bool(request.namespace):
                continue
            values = backend.values(request, mapped)
            if values is not None:
                self._observer.served(GROUP, backend.source, [one.time for one in values])
            if request.name != ALL and not values:
                raise metric_not_found(request.metric, request.resource, request.name)
            if values is None:
                break
            return mapped, values
        raise metric_not_found(request.metric, request.resource)


def _parse(segments: Sequence[str], params: Mapping[str, str]) -> CustomRequest:
    """Return the request of a path. Raises StatusError."""
    match segments:
        case ["namespaces", _, _]:
            raise bad_request("invalid request path")
        case [resource, name, metric]:
            target = ("", GroupResource.parse(resource), name, metric)
        case ["namespaces", namespace, "metrics", metric]:
            target = ("", NAMESPACES, namespace, metric)
        case ["namespaces", namespace, resource, name, metric]:
            target = (namespace, GroupResource.parse(resource), name, metric)
        case _:
            raise unknown_path()
    check_numbers(params)
    labels = params.get("labelSelector", "")
    try:
        fields = parse_fields(params.get("fieldSelector", ""))
        # The path names the object; a selector can only say the same.
        if fields and FieldTerm("metadata.name", True, target[2]) not in fields:
            raise SelectorError("fieldSelector: metadata.name is not the name of the path")
        return CustomRequest(*target, labels, parse_labels(labels), parse_labels(params.get("metricLabelSelector", "")))
    except SelectorError as error:
        raise bad_request(str(error)) from error


Described = Mapping[str, str]
"""`describedObject` without the name."""


def _item_v1beta1(described: Described, metric: str, selector: dict[str, Any] | None, one: ObjectValue) -> dict[str, Any]:
    window = {"window": max(1, round(one.window))} if one.window else {}
    return {"describedObject": {**described, "name": one.name}, "metricName": metric, **_common(one), **window, "selector": selector}


def _item(described: Described, metric: str, selector: dict[str, Any] | None, one: ObjectValue) -> dict[str, Any]:
    window = {"windowSeconds": max(1, round(one.window))} if one.window else {}
    return {
        "describedObject": {**described, "name": one.name},
        "metric": {"name": metric, "selector": selector},
        **_common(one),
        **window,
    }


def _common(one: ObjectValue) -> dict[str, str]:
    return {"timestamp": timestamp(one.time), "value": quantity(one.value)}
