"""Answers to all requests of the metrics APIs that the rules serve."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from urllib.parse import unquote

import orjson

from telegen.adapter.apis import custom_metrics, external_metrics, resource_metrics
from telegen.adapter.apis.answers import Answer, StatusError, unknown_path
from telegen.adapter.apis.custom_metrics import CustomMetrics
from telegen.adapter.apis.discovery_documents import (
    AGGREGATED,
    ListedGroup,
    ListedResource,
    accepted_form,
    aggregated,
    api_group,
    group_list,
    resource_list,
    sorted_resources,
)
from telegen.adapter.apis.external_metrics import ExternalMetrics
from telegen.adapter.apis.resource_metrics import ResourceMetrics
from telegen.adapter.apis.tables import wants_table
from telegen.adapter.backend import RulesBackend

Answerer = Callable[[str, list[str], Mapping[str, str], str], object]
"""Version, segments of the path, parameters and Accept header in, document out."""


class MetricsApis:
    """The groups for which the rules file has rules."""

    def __init__(self, backend: RulesBackend, resource_versions: tuple[str, ...] = resource_metrics.VERSIONS) -> None:
        """Prepare answers.

        Args:
            resource_versions: of metrics.k8s.io, the preferred one first; v1 has the same documents as v1beta1 (KEP-5207).
        """
        self._backend = backend
        self._versions = {
            custom_metrics.GROUP: custom_metrics.VERSIONS,
            external_metrics.GROUP: external_metrics.VERSIONS,
            resource_metrics.GROUP: resource_versions,
        }
        custom, external, resource = CustomMetrics(backend), ExternalMetrics(backend), ResourceMetrics(backend)
        self._answerers: dict[str, Answerer] = {
            custom_metrics.GROUP: lambda version, segments, params, accept: custom.answer(version, segments, params),
            external_metrics.GROUP: lambda version, segments, params, accept: external.answer(version, segments, params),
            resource_metrics.GROUP: lambda version, segments, params, accept: resource.answer(
                version, segments, params, wants_table(accept)
            ),
        }

    def answer(self, path: str, params: Mapping[str, str], accept: str = "", etag: str = "") -> Answer:
        """Return the answer to a GET.

        Args:
            path: as it is sent; segments may be percent-encoded.
            accept, etag: headers Accept and If-None-Match.
        """
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        try:
            if segments == ["apis"]:
                return self._groups(accept, etag)
            return Answer(200, self._document(segments, params, accept))
        except StatusError as error:
            return error.answer()

    def _document(self, segments: list[str], params: Mapping[str, str], accept: str) -> object:
        groups = {group.name: group for group in self.groups()}
        match segments:
            case ["apis", name] if name in groups:
                return api_group(groups[name])
            case ["apis", name, version] if name in groups and version in groups[name].versions:
                return resource_list(groups[name], version)
            case ["apis", name, version, *rest] if name in groups and version in groups[name].versions and all(rest):
                return self._answerers[name](version, rest, params, accept)
        raise unknown_path()

    def _groups(self, accept: str, etag: str) -> Answer:
        """Return /apis in the form that the client asks for."""
        form = accepted_form(accept)
        if not form:
            return Answer(200, group_list(self.groups()))
        document = aggregated(self.groups(), form)
        current = f'"{hashlib.sha256(orjson.dumps(document)).hexdigest()[:32]}"'
        if current in etag:
            return Answer(304, None, AGGREGATED.format(form), {"ETag": current})
        return Answer(200, document, AGGREGATED.format(form), {"ETag": current})

    def groups(self) -> list[ListedGroup]:
        """Return the groups with what they list now."""
        registry, served = self._backend.registry, self._backend.rules.groups
        custom = sorted_resources(
            ListedResource(f"{resource}/{name}", bool(metric.resource and metric.resource.namespaced), "MetricValueList", ("get",))
            for (resource, name), metric in registry.custom.items()
        )
        external = sorted_resources(ListedResource(name, True, "ExternalMetricValueList", ("get",)) for name in registry.external)
        usage = [
            ListedResource(name, name == "pods", kind, ("get", "list")) for name, kind in (("nodes", "NodeMetrics"), ("pods", "PodMetrics"))
        ]
        listed = zip(self._versions.items(), (custom, external, usage))
        return [ListedGroup(group, versions, tuple(resources)) for (group, versions), resources in listed if group in served]
