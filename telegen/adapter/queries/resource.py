"""CPU and memory of pods and nodes by the resource rules."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from telegen.adapter.apis.answers import failed, object_not_found
from telegen.adapter.apis.values import ObjectUsage, ResourceRequest
from telegen.adapter.backend import RulesBackend
from telegen.adapter.cluster_objects import ListingError
from telegen.adapter.queries.resource_usage import UsageQueries
from telegen.adapter.rest_mapping import PODS, Mapped
from telegen.adapter.rules.model import ResourceRules

RUNNING = "status.phase=Running"
"""Field selector of the pods that can have usage."""
Metadata = dict[str, Any]


class ResourceQueries:
    """Backend of metrics.k8s.io over Prometheus."""

    def __init__(self, backend: RulesBackend) -> None:
        self._backend = backend

    @property
    def is_served(self) -> bool:
        """Return True if the file has resource rules that can be used."""
        return self._backend.rules.resource is not None

    def usage(self, request: ResourceRequest) -> list[ObjectUsage]:
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
        return list(self._of_objects(request, objects, rules))

    def _objects(self, request: ResourceRequest, mapped: Mapped) -> list[Metadata]:
        """Return the metadata of the wanted objects."""
        fields = [request.fields, f"metadata.name={request.name}" if request.name else "", RUNNING if request.resource == PODS else ""]
        try:
            return list(self._backend.objects.metadata(mapped, request.namespace, request.labels, ",".join(filter(None, fields))))
        except ListingError as error:
            raise failed(f"unable to list {request.resource}: {error}", True) from error

    def _of_objects(self, request: ResourceRequest, objects: list[Metadata], rules: ResourceRules) -> Iterator[ObjectUsage]:
        queries = UsageQueries(self._backend, rules)
        for namespace, group in groupby(sorted(objects, key=_namespace), key=_namespace):
            by_name = {metadata["name"]: metadata for metadata in group}
            for name, (time, containers) in queries.usage(request.resource, namespace, list(by_name)).items():
                yield ObjectUsage(namespace, name, by_name[name].get("labels"), time, rules.window, containers)


def _namespace(metadata: Metadata) -> str:
    return str(metadata.get("namespace", ""))
