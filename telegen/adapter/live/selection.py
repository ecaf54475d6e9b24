"""Pods and nodes of the agents that a request selects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import orjson

from telegen.adapter.agents.usage import NodeUsage, PodUsage, RenderedUsage, UsageSource
from telegen.adapter.apis.answers import failed
from telegen.adapter.label_selectors import FieldTerm, Requirement

Object = TypeVar("Object", PodUsage, NodeUsage, RenderedUsage)


def require_usage(source: UsageSource) -> None:
    """Raise StatusError, 503, while the agents have no usage."""
    if problem := source.problem():
        raise failed(f"usage is not available: {problem}", True)


def selected(objects: Iterable[Object], labels: Sequence[Requirement], fields: Sequence[FieldTerm] = ()) -> Iterator[Object]:
    """Yield the pods or nodes that selectors select."""
    for one in objects:
        if (not labels or has_labels(one.labels, labels)) and (not fields or _has_fields(one, fields)):
            yield one


def has_labels(labels: bytes, terms: Sequence[Requirement]) -> bool:
    """Return True if labels, a JSON object, meet all requirements."""
    parsed = orjson.loads(labels)
    return all(term.selects(parsed) for term in terms)


def _has_fields(one: PodUsage | NodeUsage | RenderedUsage, terms: Sequence[FieldTerm]) -> bool:
    namespace = "" if isinstance(one, NodeUsage) else one.namespace
    return all(((one.name if term.field == "metadata.name" else namespace) == term.value) == term.is_equal for term in terms)
