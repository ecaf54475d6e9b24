"""Tables for `kubectl get`, and lists of metadata alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from telegen.adapter.agents.usage import NodeUsage, PodUsage
from telegen.adapter.apis.answers import bad_request
from telegen.adapter.apis.negotiation import Form
from telegen.adapter.apis.usage_json import cpu_and_memory, metadata_json
from telegen.adapter.quantities import cpu_quantity, go_duration, memory_quantity

META = "meta.k8s.io"
TABLES = tuple(Form("Table", META, version) for version in ("v1", "v1beta1"))
PARTIAL = "PartialObjectMetadata"
PARTIAL_OBJECTS = tuple(Form(PARTIAL, META, version) for version in ("v1", "v1beta1"))
PARTIAL_LISTS = tuple(Form(f"{PARTIAL}List", META, version) for version in ("v1", "v1beta1"))
_COLUMNS = (
    ("Name", "name", "Name of the resource"),
    ("cpu", "quantity", ""),
    ("memory", "quantity", ""),
    ("Window", "duration", ""),
)
Usage = PodUsage | NodeUsage
Describe = Callable[[Usage], object]
"""Function of a usage that returns the object of its row."""


def included(params: Mapping[str, str]) -> str:
    """Return the object that each row of a Table has: Metadata, Object or None. Raises StatusError."""
    found = params.get("includeObject") or "Metadata"
    if found not in ("Metadata", "Object", "None"):
        raise bad_request(f"unable to convert to Table as requested: includeObject: {found[:80]!r}: choose from Metadata, Object, None")
    return found


def partial(one: Usage, form: Form, created: str) -> dict[str, Any]:
    """Return the metadata of an object alone, in the version of a form."""
    return {"kind": PARTIAL, "apiVersion": f"{META}/{form.version}", "metadata": orjson.Fragment(metadata_json(one, created))}


def table(usages: Iterable[Usage], form: Form, describe: Describe) -> dict[str, Any]:
    """Return usage that is known of every container as a Table; of a pod the sums of its containers."""
    columns = [
        {"name": name, "type": "string", "format": kind, "description": description, "priority": 0} for name, kind, description in _COLUMNS
    ]
    rows = [{"cells": _cells(one), "object": describe(one)} for one in usages]
    head = {"kind": "Table", "apiVersion": f"{META}/{form.version}", "metadata": {}}
    # Without rows both are null, as metrics-server has it; kubectl prints "No resources found" for it.
    return {**head, "columnDefinitions": columns if rows else None, "rows": rows or None}


def _cells(one: Usage) -> list[str]:
    of_containers = [one.values] if isinstance(one, NodeUsage) else one.containers.values()
    cpu, memory = map(sum, zip(*filter(None, map(cpu_and_memory, of_containers))))
    return [one.name, cpu_quantity(cpu), memory_quantity(memory), go_duration(one.window)]
