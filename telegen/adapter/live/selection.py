"""Pods and nodes of the agents that a request selects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from telegen.adapter.agents.usage import NodeUsage, PodUsage, UsageSource
from telegen.adapter.apis.answers import failed
from telegen.adapter.label_selectors import FieldTerm, Requirement


def require_usage(source: UsageSource) -> None:
    """Raise StatusError, 503, while the agents have no usage."""
    if problem := source.problem():
        raise failed(f"usage is not available: {problem}", True)


def selected_pods(
    source: UsageSource, namespace: str, name: str, labels: Sequence[Requirement], fields: Sequence[FieldTerm] = ()
) -> Iterator[PodUsage]:
    """Yield the pods of a namespace that selectors select; name or namespace is "" for any."""
    for pod in source.pods(namespace, name):
        if (not labels or has_labels(pod.labels, labels)) and (not fields or _has_fields(pod.namespace, pod.name, fields)):
            yield pod


def selected_nodes(
    source: UsageSource, name: str, labels: Sequence[Requirement], fields: Sequence[FieldTerm] = ()
) -> Iterator[NodeUsage]:
    """Yield the nodes that selectors select; the name is "" for any."""
    for node in source.nodes(name):
        if (not labels or has_labels(node.labels, labels)) and (not fields or _has_fields("", node.name, fields)):
            yield node


def has_labels(labels: bytes, terms: Sequence[Requirement]) -> bool:
    """Return True if labels, a JSON object, meet all requirements."""
    parsed = orjson.loads(labels)
    return all(term.selects(parsed) for term in terms)


def _has_fields(namespace: str, name: str, terms: Sequence[FieldTerm]) -> bool:
    return all(((name if term.field == "metadata.name" else namespace) == term.value) == term.is_equal for term in terms)
