"""CPU and memory of pods and nodes by the resource rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson

from telegen.adapter.agents.usage import NodeUsage, PodUsage, RenderedUsage, Values
from telegen.adapter.apis.answers import failed, object_not_found
from telegen.adapter.apis.values import RULE, ResourceRequest, rendered
from telegen.adapter.cluster_objects import ListingError
from telegen.adapter.queries.backend import RulesBackend
from telegen.adapter.queries.resource_usage import UsageQueries
from telegen.adapter.rest_mapping import NODES, PODS, Mapped

RUNNING = "status.phase=Running"
"""Field selector of the pods that can have usage."""
COLUMNS = ("cpu", "memory")
Metadata = dict[str, Any]


class ResourceQueries:
    """Backend of metrics.k8s.io over Prometheus."""

    source = RULE

    def __init__(self, backend: RulesBackend) -> None:
        self._backend = backend

    @property
    def is_served(self) -> bool:
        """Return True if the file has resource rules that can be used."""
        return self._backend.rules.resource is not None

    def usage(self, request: ResourceRequest) -> Sequence[PodUsage | NodeUsage]:
        """Return the usage of the wanted objects, with queries for each namespace. Raises StatusError."""
        rules = self._backend.rules.resource
        if not rules:
            raise failed("the resource rules are refused; telegen adapter check-rules shows the reason", True)
        mapped = self._backend.mapping.find(request.resource)
        if not mapped:
            raise failed(f"the resource {request.resource} of the cluster is not known yet", True)
        objects = self._objects(request, mapped)
        if request.name and not objects:
            raise object_not_found("pods" if request.resource == PODS else "node", request.name)
        queries = UsageQueries(self._backend, rules)
        usages = list[PodUsage | NodeUsage]()
        for namespace, group in groupby(sorted(objects, key=_namespace), key=_namespace):
            by_name = {metadata["name"]: metadata for metadata in group}
            found = queries.usage(request.resource, namespace, list(by_name))
            is_node = request.resource == NODES
            usages += [_usage(by_name[name], *found[name], rules.window, is_node) for name in sorted(found)]
        return usages

    def rendered(self, request: ResourceRequest, render: Callable[[PodUsage | NodeUsage], str]) -> Sequence[RenderedUsage]:
        """Return the usage of the wanted objects as text. Raises StatusError."""
        return rendered(self.usage(request), render)

    def _objects(self, request: ResourceRequest, mapped: Mapped) -> list[Metadata]:
        """Return the metadata of the wanted objects."""
        fields = [request.fields, f"metadata.name={request.name}" if request.name else "", RUNNING if request.resource == PODS else ""]
        try:
            return list(self._backend.objects.metadata(mapped, request.namespace, request.labels, ",".join(filter(None, fields))))
        except ListingError as error:
            raise failed(f"unable to list {request.resource}: {error}", True) from error


def _namespace(metadata: Metadata) -> str:
    return str(metadata.get("namespace", ""))


def _usage(metadata: Metadata, time: float, containers: Mapping[str, Values], window: float, is_node: bool) -> PodUsage | NodeUsage:
    """Return the usage of a pod, or of a node, whose one container has no name.

    A container of a pod can have the name "" too: series about all of a pod have no label for the container.
    """
    labels = orjson.dumps(metadata.get("labels") or {})
    if is_node:
        return NodeUsage(metadata["name"], labels, time, window, containers[""])
    rows = [[values[column] for column in COLUMNS] for values in containers.values()]
    return PodUsage(_namespace(metadata), metadata["name"], "", labels, time, window, COLUMNS, (), list(containers), rows, ())
