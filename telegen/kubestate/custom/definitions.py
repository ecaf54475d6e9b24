"""Kinds that a CustomResourceDefinition serves."""

from __future__ import annotations

from collections.abc import Iterator

from telegen.kubestate.custom.model import Kind
from telegen.metrics.family import Object

DEFINITION = "CustomResourceDefinition"


def defined_kinds(definition: Object) -> Iterator[Kind]:
    """Yield the kind in each served version of a definition."""
    spec = definition.get("spec") or {}
    names = spec.get("names") or {}
    for version in spec.get("versions") or ():
        if version.get("served"):
            yield Kind(spec["group"], version["name"], names["plural"], names["kind"], spec.get("scope") == "Namespaced")
