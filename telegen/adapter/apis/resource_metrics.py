"""metrics.k8s.io by the resource rules: CPU and memory of pods and nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from telegen.adapter.apis.answers import StatusError, bad_request, failed, object_not_found, timestamp, unknown_path
from telegen.adapter.queries.resource_usage import ResourceQueries, Usage
from telegen.adapter.apis.tables import table
from telegen.adapter.backend import QueryError, RulesBackend
from telegen.adapter.cluster_objects import ListingError
from telegen.adapter.label_selectors import SelectorError, parse_fields, parse_labels
from telegen.adapter.quantities import binary_quantity, decimal_quantity, go_duration
from telegen.adapter.rest_mapping import NODES, PODS, GroupResource, Mapped
from telegen.adapter.rules.model import ResourceRules

GROUP = "metrics.k8s.io"
VERSIONS = ("v1beta1",)
RUNNING = "status.phase=Running"
"""Field selector of the pods that can have usage."""
Metadata = dict[str, Any]


class _Request(NamedTuple):
    """A request.

    Attributes:
        name: "" for a list.
        labels, fields: selectors of a list.
    """

    resource: GroupResource
    namespace: str
    name: str
    labels: str
    fields: str


class ResourceMetrics:
    """Answers to requests by the resource rules."""

    def __init__(self, backend: RulesBackend) -> None:
        self._backend = backend

    def answer(self, version: str, segments: Sequence[str], params: Mapping[str, str], as_table: bool) -> dict[str, Any]:
        """Return a list, an object, or either as a Table.

        Args:
            segments: of the path after the version.

        Raises:
            StatusError.
        """
        request = _parse(segments, params)
        rules = self._backend.rules.resource
        if not rules:
            raise failed("the resource rules are refused; telegen adapter check-rules shows the reason", True)
        mapped = self._backend.mapping.find(request.resource)
        kind = "PodMetrics" if request.resource == PODS else "NodeMetrics"
        if not mapped:
            raise failed(f"the resource {request.resource} of the cluster is not known yet", True)
        objects = self._objects(request, mapped)
        if request.name and not objects:
            raise object_not_found(*(("pods", request.name) if request.resource == PODS else ("node", request.name)))
        items = sorted(self._items(request, objects, rules), key=lambda item: (_namespace(item["metadata"]), item["metadata"]["name"]))
        if request.name and not items:
            namespace = f"{request.namespace}/" if request.namespace else ""
            raise object_not_found(kind.lower(), namespace + request.name, GROUP)
        if as_table:
            return table(items)
        head = {"kind": kind if request.name else f"{kind}List", "apiVersion": f"{GROUP}/{version}"}
        return {**head, **items[0]} if request.name else {**head, "metadata": {}, "items": items}

    def _objects(self, request: _Request, mapped: Mapped) -> list[Metadata]:
        """Return the metadata of the wanted objects."""
        fields = [request.fields, f"metadata.name={request.name}" if request.name else "", RUNNING if request.resource == PODS else ""]
        try:
            return list(self._backend.objects.metadata(mapped, request.namespace, request.labels, ",".join(filter(None, fields))))
        except ListingError as error:
            raise failed(f"unable to list {request.resource}: {error}", True) from error

    def _items(self, request: _Request, objects: list[Metadata], rules: ResourceRules) -> Iterator[dict[str, Any]]:
        """Yield PodMetrics or NodeMetrics, with queries for each namespace."""
        queries, window = ResourceQueries(self._backend, rules), go_duration(rules.window)
        for namespace, group in groupby(sorted(objects, key=_namespace), key=_namespace):
            by_name = {metadata["name"]: metadata for metadata in group}
            try:
                found = queries.usage(request.resource, namespace, list(by_name))
            except QueryError as error:
                raise failed(str(error), error.is_unanswered) from error
            for name, containers in found.items():
                yield self._item(by_name[name], containers, window)

    def _item(self, metadata: Metadata, containers: Mapping[str, Usage], window: str) -> dict[str, Any]:
        shown = {key: metadata[key] for key in ("name", "namespace", "labels") if metadata.get(key)}
        item = {
            "metadata": {**shown, "creationTimestamp": timestamp(self._backend.servers.now())},
            "timestamp": timestamp(min(usage.time for usage in containers.values())),
            "window": window,
        }
        if "" in containers:
            return {**item, "usage": _usage(containers[""])}
        return {**item, "containers": [{"name": name, "usage": _usage(usage)} for name, usage in sorted(containers.items())]}


def _namespace(metadata: Metadata) -> str:
    return str(metadata.get("namespace", ""))


def _usage(usage: Usage) -> dict[str, str]:
    return {"cpu": decimal_quantity(usage.cpu), "memory": binary_quantity(usage.memory)}


def _parse(segments: Sequence[str], params: Mapping[str, str]) -> _Request:
    """Return the request of a path. Raises StatusError."""
    labels, fields = params.get("labelSelector", ""), params.get("fieldSelector", "")
    match segments:
        case ["nodes"]:
            request = _Request(NODES, "", "", labels, fields)
        case ["nodes", name]:
            return _Request(NODES, "", name, "", "")
        case ["pods"]:
            request = _Request(PODS, "", "", labels, fields)
        case ["namespaces", namespace, "pods"]:
            request = _Request(PODS, namespace, "", labels, fields)
        case ["namespaces", namespace, "pods", name]:
            return _Request(PODS, namespace, name, "", "")
        case _:
            raise unknown_path()
    if params.get("watch", "") in ("1", "true"):
        details = {"group": GROUP, "kind": request.resource.resource}
        message = f'watch is not supported on resources of kind "{request.resource.resource}.{GROUP}"'
        raise StatusError(405, "MethodNotAllowed", message, details)
    try:
        parse_labels(labels)
        parse_fields(fields)
    except SelectorError as error:
        raise bad_request(str(error)) from error
    return request
