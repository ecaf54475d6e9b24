"""Agents whose documents are written by hand, and the adapter that reads them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from telegen.adapter.agents.usage import FamiliesAnswer, FamilySample, NodeUsage, PodUsage, Render, RenderedUsage

NOW = 1_732_800_000.0
Document = dict[str, Any]


def document(node: str, pods: Mapping[str, Any], usage: Any = None, age: float = 5.0, window: float = 15.0, **columns: Any) -> Document:
    """Return the document of an agent.

    Args:
        pods: by NAMESPACE/NAME: labels, values by container (None for a pod without usage), values of the pod.
        usage: values of the node.
    """
    container_metrics = columns.get("container_metrics", ["cpu", "memory", "swap", "cpu_throttled_ratio", "restarts"])
    pod_metrics = columns.get("pod_metrics", ["cpu_pressure", "receive_bytes"])
    node_metrics = columns.get("node_metrics", ["cpu", "memory", "swap", "cpu_pressure"])
    objects, rows = list[Any](), list[Any]()
    for key, (labels, containers, *values) in pods.items():
        namespace, name = key.split("/")
        objects.append({"namespace": namespace, "name": name, "uid": key, "labels": labels, "containers": list(containers or ())})
        row = [_padded(one, container_metrics) for one in (containers or {}).values()]
        rows.append([NOW - age, window, row, _padded(values[0] if values else [], pod_metrics)] if containers else None)
    return {
        **{"version": 1, "node": node, "sent": NOW, "generation": "1", "objects": objects, "pods": rows, "shards": [0]},
        **{"container_metrics": container_metrics, "pod_metrics": pod_metrics, "node_metrics": node_metrics},
        "node_usage": None if usage is None else [NOW - age, window, _padded(usage, node_metrics)],
    }


def _padded(values: list[Any], columns: list[str]) -> list[Any]:
    return [*values, *([None] * (len(columns) - len(values)))]


class Agents:
    """A UsageSource made of documents.

    Attributes:
        families_by_name: labels and value of each sample.
        reason: why nothing can be answered.
        missing: problem of each answer with families.
    """

    def __init__(self, documents: list[Document], node_labels: Mapping[str, Any], families: Mapping[str, Any]) -> None:
        self.documents, self.node_labels, self.families_by_name = documents, node_labels, families
        self.reason, self.missing = "", ""

    def pods(self, namespace: str, name: str = "") -> Iterator[PodUsage]:
        """Yield the pods with usage that have this namespace and name."""
        for one in self.documents:
            for obj, usage in zip(one["objects"], one["pods"]):
                if usage and namespace in ("", obj["namespace"]) and name in ("", obj["name"]):
                    time, window, rows, values = usage
                    labels = json.dumps(obj["labels"]).encode()
                    columns = tuple(one["container_metrics"]), tuple(one["pod_metrics"])
                    names = obj["containers"]
                    yield PodUsage(obj["namespace"], obj["name"], one["node"], labels, time, window, *columns, names, rows, values)

    def rendered_pods(self, namespace: str, render: Render) -> Iterator[RenderedUsage]:
        """Yield the pods with usage as text."""
        for pod in self.pods(namespace):
            yield RenderedUsage(pod.namespace, pod.name, pod.node, pod.time, pod.labels, render(pod))

    def has_pod(self, namespace: str, name: str) -> bool:
        """Return True if a document has the pod."""
        return any((obj["namespace"], obj["name"]) == (namespace, name) for one in self.documents for obj in one["objects"])

    def has_node(self, name: str) -> bool:
        """Return True if a document is of the node."""
        return any(one["node"] == name for one in self.documents)

    def nodes(self, name: str = "") -> Iterator[NodeUsage]:
        """Yield the nodes with usage that have this name."""
        for one in self.documents:
            if one["node_usage"] and name in ("", one["node"]):
                time, window, values = one["node_usage"]
                labels = json.dumps(self.node_labels.get(one["node"], {})).encode()
                yield NodeUsage(one["node"], labels, time, window, dict(zip(one["node_metrics"], values)))

    def families(self, names: Collection[str]) -> FamiliesAnswer:
        """Return the samples of these families."""
        known = {name: self.families_by_name[name] for name in names if name in self.families_by_name}
        samples = {name: [FamilySample(name, labels, value) for labels, value in rows] for name, rows in known.items()}
        return FamiliesAnswer(samples, NOW - 3, self.missing)

    def problem(self) -> str:
        """Return the reason."""
        return self.reason
