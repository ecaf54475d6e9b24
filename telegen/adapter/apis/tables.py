"""Tables for `kubectl get`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from telegen.adapter.agents.usage import NodeUsage, PodUsage
from telegen.adapter.apis.usage_json import cpu_and_memory, metadata_json
from telegen.adapter.quantities import cpu_quantity, go_duration, memory_quantity

MEDIA_TYPE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_COLUMNS = (
    ("Name", "name", "Name of the resource"),
    ("cpu", "quantity", ""),
    ("memory", "quantity", ""),
    ("Window", "duration", ""),
)


def wants_table(accept: str) -> bool:
    """Return True if the first media type that is JSON is a Table."""
    types = [part.replace(" ", "") for part in accept.split(",")]
    first = next((part for part in types if part.startswith("application/json")), "")
    parameters = set(first.split(";")[1:])
    return {"as=Table", "v=v1", "g=meta.k8s.io"} <= parameters


def table(usages: Iterable[PodUsage | NodeUsage], created: str) -> dict[str, Any]:
    """Return the usage of pods or nodes as a Table; of a pod the sums of its containers.

    Args:
        created: creationTimestamp of the metadata.
    """
    columns = [
        {"name": name, "type": "string", "format": form, "description": description, "priority": 0} for name, form, description in _COLUMNS
    ]
    rows = [row for one in usages if (row := _row(one, created))]
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}}
    # Without rows both are null, as metrics-server has it; kubectl prints "No resources found" for it.
    return {**head, "columnDefinitions": columns if rows else None, "rows": rows or None}


def _row(one: PodUsage | NodeUsage, created: str) -> dict[str, Any] | None:
    """Return a row; None if usage is not known of every container."""
    of_containers = [one.values] if isinstance(one, NodeUsage) else list(one.containers.values())
    usages = [usage for values in of_containers if (usage := cpu_and_memory(values.get("cpu"), values.get("memory")))]
    if not usages or len(usages) < len(of_containers):
        return None
    cpu, memory = map(sum, zip(*usages))
    described = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": orjson.Fragment(metadata_json(one, created))}
    return {"cells": [one.name, cpu_quantity(cpu), memory_quantity(memory), go_duration(one.window)], "object": described}
