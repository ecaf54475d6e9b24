"""CPU, memory and swap of pods and nodes by the agents."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from telegen.adapter.agents.usage import NodeUsage, PodUsage, UsageSource
from telegen.adapter.apis.answers import object_not_found
from telegen.adapter.apis.values import ResourceRequest
from telegen.adapter.live.selection import require_usage, selected_nodes, selected_pods
from telegen.adapter.rest_mapping import PODS

_name, _namespace_and_name = itemgetter(0), itemgetter(0, 1)


class LiveResource:
    """Backend of metrics.k8s.io over the agents."""

    is_served = True

    def __init__(self, source: UsageSource) -> None:
        self._source = source

    def usage(self, request: ResourceRequest) -> Sequence[PodUsage | NodeUsage]:
        """Return the usage of the wanted objects, sorted by namespace and name. Raises StatusError."""
        require_usage(self._source)
        found: list[PodUsage] | list[NodeUsage]
        if request.resource == PODS:
            pods = selected_pods(self._source, request.namespace, request.name, request.label_terms, request.field_terms)
            found = sorted(pods, key=_namespace_and_name)
        else:
            nodes = selected_nodes(self._source, request.name, request.label_terms, request.field_terms)
            found = sorted(nodes, key=_name)
        if request.name and not found:
            raise object_not_found("pods" if request.resource == PODS else "node", request.name)
        return found
