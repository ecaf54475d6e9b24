"""Variables of expressions besides the fields of an object: the owner that controls it, and the labels of its namespace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from telegen.kubestate.custom.expressions.model import Metric
from telegen.metrics.family import Object

OWNER, NAMESPACE_LABELS = "owner", "namespaceLabels"
ReadLabels = Callable[[str], Mapping[str, str]]
"""From the name of a namespace to its labels; empty for one that is not known."""

_NAMES = {name: re.compile(rf"(?<![.\w'\"]){name}\b") for name in (OWNER, NAMESPACE_LABELS)}


def no_labels(namespace: str) -> Mapping[str, str]:
    """Return no labels: for expressions without labels of namespaces."""
    return {}


def mentioned(metric: Metric) -> tuple[str, ...]:
    """Return the variables that expressions of a metric name."""
    texts = list(_texts(metric))
    return tuple(name for name, pattern in _NAMES.items() if any(map(pattern.search, texts)))


def _texts(metric: Metric) -> Iterator[str]:
    yield from (metric.value, metric.when, *metric.labels.values(), *metric.label_maps)
    yield from (loop.over for loop in metric.loops)


def readers(names: tuple[str, ...], namespace_labels: ReadLabels) -> list[Callable[[Object], dict[str, Any]]]:
    """Return a reader for each variable."""

    def labels_of(obj: Object) -> dict[str, Any]:
        namespace = obj["metadata"].get("namespace")
        return dict(namespace_labels(namespace)) if isinstance(namespace, str) else {}

    known = {OWNER: owner_of, NAMESPACE_LABELS: labels_of}
    return [known[name] for name in names]


def owner_of(obj: Object) -> dict[str, Any]:
    """Return the reference of the owner that controls an object; an empty one if there is none."""
    references = obj["metadata"].get("ownerReferences")
    for one in references if isinstance(references, list) else ():
        if isinstance(one, dict) and one.get("controller") is True:
            return one
    return {}


def plain_labels(namespace: Object) -> dict[str, str]:
    """Return the labels of a namespace."""
    labels = namespace["metadata"].get("labels")
    return {key: value for key, value in labels.items() if isinstance(value, str)} if isinstance(labels, dict) else {}
