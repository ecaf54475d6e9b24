"""Tables for `kubectl get`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telegen.adapter.apis.values import ObjectUsage
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


def table(rows: Sequence[tuple[dict[str, Any], ObjectUsage]]) -> dict[str, Any]:
    """Return metadata and usage of pods or nodes as a Table; of a pod the sums of its containers."""
    columns = [
        {"name": name, "type": "string", "format": form, "description": description, "priority": 0} for name, form, description in _COLUMNS
    ]
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}}
    # Without rows both are null, as metrics-server has it; kubectl prints "No resources found" for it.
    return {**head, "columnDefinitions": columns if rows else None, "rows": [_row(*row) for row in rows] or None}


def _row(metadata: dict[str, Any], one: ObjectUsage) -> dict[str, Any]:
    cpu = cpu_quantity(sum(usage.cpu for usage in one.containers.values()))
    memory = memory_quantity(sum(usage.memory for usage in one.containers.values()))
    cells = [one.name, cpu, memory, go_duration(one.window)]
    return {"cells": cells, "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}}
