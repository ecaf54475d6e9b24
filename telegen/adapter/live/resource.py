"""CPU, memory and swap of pods and nodes by the agents."""

from __future__ import annotations

import math
from collections.abc import Iterator

import orjson

from telegen.adapter.agents.usage import NodeUsage, PodUsage, UsageSource, Values
from telegen.adapter.apis.answers import object_not_found
from telegen.adapter.apis.values import ObjectUsage, ResourceRequest, Usage
from telegen.adapter.live.selection import require_usage, selected_nodes, selected_pods
from telegen.adapter.rest_mapping import PODS

NO_LABELS = b"{}"


class LiveResource:
    """Backend of metrics.k8s.io over the agents."""

    is_served = True

    def __init__(self, source: UsageSource) -> None:
        self._source = source

    def usage(self, request: ResourceRequest) -> list[ObjectUsage]:
        """Return the usage of the wanted objects. Raises StatusError."""
        require_usage(self._source)
        if request.resource == PODS:
            pods = selected_pods(self._source, request.namespace, request.name, request.label_terms, request.field_terms)
            usages = [_of_pod(pod) for pod in pods]
        else:
            usages = [_of_node(node) for node in selected_nodes(self._source, request.name, request.label_terms, request.field_terms)]
        if request.name and not usages:
            raise object_not_found("pods" if request.resource == PODS else "node", request.name)
        return [one for one in usages if one]


def _of_pod(pod: PodUsage) -> ObjectUsage | None:
    """Return the usage of a pod; None if it is not known of every container: a sum without one would be too small."""
    containers = {name: usage for name, usage in _usages(pod) if usage}
    if not containers or len(containers) < len(pod.containers):
        return None
    return ObjectUsage(pod.namespace, pod.name, _labels(pod.labels), pod.time, pod.window, containers)


def _usages(pod: PodUsage) -> Iterator[tuple[str, Usage | None]]:
    for name, values in pod.containers.items():
        yield name, _usage(values)


def _of_node(node: NodeUsage) -> ObjectUsage | None:
    usage = _usage(node.values)
    return ObjectUsage("", node.name, _labels(node.labels), node.time, node.window, {"": usage}) if usage else None


def _usage(values: Values) -> Usage | None:
    cpu, memory, swap = values.get("cpu"), values.get("memory"), values.get("swap")
    if cpu is None or memory is None or not math.isfinite(cpu + memory) or cpu < 0 or memory < 0:
        return None
    return Usage(round(cpu * 1e9), int(memory), None if swap is None else int(swap))


def _labels(labels: bytes) -> orjson.Fragment | None:
    return orjson.Fragment(labels) if labels != NO_LABELS else None
