"""Labels that `labels_on_series` adds to every series of an object: of the object, its namespace and its workload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from telegen.config.model import LabelsOnSeries
from telegen.kubestate.fields import at
from telegen.kubestate.resource import Resource
from telegen.metrics.family import FamilyGenerator, Object
from telegen.metrics.label_keys import Pairs, key_filter, label_pairs
from telegen.metrics.lines import escape

LabelsText = Callable[[Object], str]
"""From an object to the text of its additional labels; "" for none."""

ReadWorkload = Callable[[Object], tuple[str, str]]
"""From a pod to the name and the kind of its workload."""

OWN_LABELS = ("label_", "annotation_", "namespace_label_", "namespace_annotation_", "workload")
"""Beginnings of the names of additional labels; families that have such labels already are left alone."""

MAX_VALUE, MAX_LABELS = 1024, 64
"""Characters of the longest value, and number of labels of one kind, that are added: a tenant's annotation of 256 kB would stand on
every series of an object."""

_labels, _annotations = at("metadata.labels", {}), at("metadata.annotations", {})
_namespace, _owners = at("metadata.namespace", ""), at("metadata.ownerReferences", ())


def series_labels(
    settings: LabelsOnSeries, resource: Resource, namespace_text: Callable[[str], str], pod_workload: ReadWorkload
) -> LabelsText | None:
    """Return the function that gives the additional labels of a resource's objects; None if there are none.

    Args:
        namespace_text: returns the text of the labels of a namespace.
        pod_workload: returns the workload of a pod.
    """
    readers: list[Callable[[Object], Pairs]] = []
    for allowlist, read, prefix in ((settings.labels, _labels, "label_"), (settings.annotations, _annotations, "annotation_")):
        names = (*allowlist.get("*", ()), *allowlist.get(resource.name, ()))
        if names:
            readers.append(_selected(names, read, prefix))
    if settings.workload:
        readers.append(_workload(pod_workload if resource.name == "pods" else _owner))
    of_namespace = bool(resource.namespaced and (settings.namespace_labels or settings.namespace_annotations))
    if not readers and not of_namespace:
        return None

    def text(obj: Object) -> str:
        own = pairs_text([pair for read in readers for pair in read(obj)])
        shared = namespace_text(_namespace(obj)) if of_namespace else ""
        return f"{own},{shared}" if own and shared else own or shared

    return text


def pairs_text(pairs: Pairs) -> str:
    """Return labels as they stand between the braces of a sample."""
    return ",".join([f'{name}="{escape(value)}"' for name, value in pairs])


def namespace_pairs(settings: LabelsOnSeries, namespace: Object) -> Pairs:
    """Return the additional labels that a namespace gives the series of its objects."""
    pairs: Pairs = []
    if settings.namespace_labels:
        pairs += _selected(settings.namespace_labels, _labels, "namespace_label_")(namespace)
    if settings.namespace_annotations:
        pairs += _selected(settings.namespace_annotations, _annotations, "namespace_annotation_")(namespace)
    return pairs


def has_own(family: FamilyGenerator) -> bool:
    """Return True for a family whose samples have labels of these names already."""
    return any(label.startswith(OWN_LABELS) for label in family.labels)


def _selected(names: Sequence[str], read: Callable[[Object], Mapping[str, str]], prefix: str) -> Callable[[Object], Pairs]:
    is_allowed = key_filter(names)

    def pairs(obj: Object) -> Pairs:
        allowed = {key: value for key, value in read(obj).items() if is_allowed(key) and len(value or "") <= MAX_VALUE}
        return label_pairs(allowed, prefix)[:MAX_LABELS]

    return pairs


def _workload(read: ReadWorkload) -> Callable[[Object], Pairs]:
    def pairs(obj: Object) -> Pairs:
        name, kind = read(obj)
        return [("workload", name), ("workload_kind", kind)] if name else []

    return pairs


def _owner(obj: Object) -> tuple[str, str]:
    """Return name and kind of the controlling owner; two empty texts for none."""
    owner: Object = next((one for one in _owners(obj) if one.get("controller")), {})
    return owner.get("name") or "", owner.get("kind") or ""
