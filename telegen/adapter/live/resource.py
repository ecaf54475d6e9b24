"""CPU, memory and swap of pods and nodes by the agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter

from telegen.adapter.agents.usage import NodeUsage, PodUsage, RenderedUsage, UsageSource
from telegen.adapter.apis.answers import object_not_found
from telegen.adapter.apis.values import LIVE, ResourceRequest, rendered
from telegen.adapter.live.selection import require_usage, selected
from telegen.adapter.rest_mapping import PODS

_node_name, _pod_name, _namespace_and_name = itemgetter(0), itemgetter(1), itemgetter(0, 1)


class LiveResource:
    """Backend of metrics.k8s.io over the agents."""

    source = LIVE
    is_served = True

    def __init__(self, source: UsageSource) -> None:
        self._source = source

    def usage(self, request: ResourceRequest) -> Sequence[PodUsage | NodeUsage]:
        """Return the usage of the wanted objects, sorted by namespace and name. Raises StatusError."""
        require_usage(self._source)
        found: list[PodUsage] | list[NodeUsage]
        if request.resource == PODS:
            pods = self._source.pods(request.namespace, request.name)
            found = sorted(selected(pods, request.label_terms, request.field_terms), key=_namespace_and_name)
        else:
            nodes = self._source.nodes(request.name)
            found = sorted(selected(nodes, request.label_terms, request.field_terms), key=_node_name)
        if request.name and not found:
            self._require_object(request)
        return found

    def rendered(self, request: ResourceRequest, render: Callable[[PodUsage | NodeUsage], str]) -> Sequence[RenderedUsage]:
        """Return the usage of the objects of a list as text, sorted by namespace and name. Raises StatusError."""
        if request.resource != PODS:
            return rendered(self.usage(request), render)
        require_usage(self._source)
        pods = selected(self._source.rendered_pods(request.namespace, render), request.label_terms, request.field_terms)
        return sorted(pods, key=_pod_name if request.namespace else _namespace_and_name)

    def _require_object(self, request: ResourceRequest) -> None:
        """Raise StatusError if no agent has the object: it does not exist, does not run, or its node has no agent."""
        if request.resource == PODS and not self._source.has_pod(request.namespace, request.name):
            raise object_not_found("pods", request.name)
        if request.resource != PODS and not self._source.has_node(request.name):
            raise object_not_found("node", request.name)
