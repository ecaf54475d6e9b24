"""Metrics by paths: they have the elements, labels and numbers of the format of kube-state-metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Union

from telegen.kubestate.custom.expressions import written
from telegen.kubestate.custom.expressions.model import IDENTITY, OBJECT_LABELS
from telegen.kubestate.custom.expressions.path_texts import read_path
from telegen.kubestate.custom.expressions.shapes import is_set
from telegen.kubestate.custom.labels import LABEL_NAME, METRIC_LABEL, is_star
from telegen.kubestate.custom.model import Family, Path, Paths
from telegen.kubestate.custom.paths import InvalidPath, compile_path
from telegen.metrics.label_keys import sanitize

Problem = Callable[[str, str], None]
"""Reports a problem: path in the configuration, message."""

_KEYS = ("valueFrom", "elementLabels", "labelFromKey", "nilIsZero", "labelsFromPath", "commonLabels")
"""Keys of a metric that need `path`."""
_TYPES: Mapping[str, frozenset[str]] = {
    "Gauge": frozenset(_KEYS),
    "Info": frozenset(("elementLabels", "labelFromKey", "labelsFromPath", "commonLabels")),
    "StateSet": frozenset(("valueFrom", "elementLabels", "labelsFromPath", "commonLabels", "states", "label")),
}
"""Keys of a metric with `path` by its type, besides name, help, type and path."""
_ALWAYS = frozenset(("name", "help", "type", "path"))
_ENTRY_OF_PATHS = ("labelsFromPath", "commonLabels")
_ENTRY_OF_EXPRESSIONS = ("labels", "labelsFrom", "namespaceLabels", "ownerLabels", "when")


def misplaced_keys(given: written.Metric) -> Iterator[tuple[str, str]]:
    """Yield the key and the message of each key of a metric that does not fit one with `path`, or one without."""
    if given.path is None:
        cure = "add path: the path of the value, or remove it"
        yield from ((key, f"{key} has no effect without path; {cure}") for key in _KEYS if getattr(given, key))
    elif given.type not in _TYPES:
        yield "type", f"a metric with path is a Gauge, an Info or a StateSet; a {given.type} needs value"
    else:
        for key in given.__struct_fields__:
            if is_set(given, key) and key not in _ALWAYS | _TYPES[given.type]:
                yield key, f"{key} has no effect on a metric of type {given.type} with path; remove it, or write value instead of path"


def misplaced_entry_keys(entry: written.Entry) -> Iterator[tuple[str, str]]:
    """Yield the key and the message of each key of an entry that some of its metrics cannot have."""
    for keys, is_concerned, cure in (
        (_ENTRY_OF_PATHS, any(metric.path is None for metric in entry.metrics), "metrics without path take labels"),
        (_ENTRY_OF_EXPRESSIONS, any(metric.path is not None for metric in entry.metrics), "metrics with path take labelsFromPath"),
    ):
        for key in keys if is_concerned else ():
            if getattr(entry, key):
                yield key, f"{key} does not concern all metrics of the entry: {cure}; make an entry of its own for them"


def read_family(entry: written.Entry, given: written.Metric, name: str, path: str, problem: Problem) -> Family:
    """Return the family of a metric with `path`; report its problems.

    Args:
        path: of the metric in the configuration.
    """
    entry_path = path.rpartition(".metrics[")[0]

    def paths(values: Mapping[str, Any], where: str) -> Paths:
        return {label: _read(value, f"{where}.{label}", problem) for label, value in values.items()}

    labels = {**paths(entry.labelsFromPath, f"{entry_path}.labelsFromPath"), **paths(given.labelsFromPath, f"{path}.labelsFromPath")}
    family = Family(
        name,
        given.help,
        given.type.lower(),  # type: ignore[arg-type]
        _read(() if given.path is None else given.path, f"{path}.path", problem),
        given.commonLabels,
        labels,
        paths(given.elementLabels, f"{path}.elementLabels"),
        _read(given.valueFrom, f"{path}.valueFrom", problem),
        given.labelFromKey,
        given.nilIsZero,
        (given.label or given.name) if given.type == "StateSet" else "",
        tuple(given.states),
    )
    for where, label, message in _label_problems(entry, family, path, entry_path):
        problem(f"{where}.{label}", message)
    return family


def _read(value: Union[str, Sequence[str]], path: str, problem: Problem) -> Path:
    """Return the segments of a path; check them."""
    try:
        segments = read_path(value)
        compile_path(segments)
    except (ValueError, InvalidPath) as error:
        problem(path, str(error))
        return ()
    return segments


def _label_problems(entry: written.Entry, family: Family, path: str, entry_path: str) -> Iterator[tuple[str, str, str]]:
    """Yield the place, the label and the message of each label that is not possible."""
    own = IDENTITY[entry.identity] if OBJECT_LABELS[0] in IDENTITY[entry.identity] else ()
    for where, names in (
        (f"{entry_path}.commonLabels", tuple(entry.commonLabels)),
        (f"{path}.commonLabels", tuple(family.common_labels)),
        (f"{path}.labelFromKey", (family.label_from_key,) if family.label_from_key else ()),
        (f"{path}.label", (family.label_name,) if family.label_name else ()),
    ):
        for name in names:
            if not LABEL_NAME.fullmatch(name) or name == METRIC_LABEL:
                yield where, name, f"{name!r} is not a legal name of a label; use letters, digits and '_'"
            elif name in own:
                yield where, name, _taken(name)
    for where, labels in ((f"{path}.labelsFromPath", family.labels_from_path), (f"{path}.elementLabels", family.element_labels)):
        for name in labels:
            if not is_star(name) and sanitize(name) == METRIC_LABEL:
                yield where, name, f"{name!r} is the label that has the name of the metric; choose another name"
            elif not is_star(name) and not LABEL_NAME.fullmatch(sanitize(name)):
                yield where, name, f"{name!r} is not a legal name of a label; begin with a letter or '_'"
            elif sanitize(name) in own:
                yield where, name, _taken(name)


def _taken(name: str) -> str:
    return f"every sample has the label {name}; choose another name, or identity: none"
