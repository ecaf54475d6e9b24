"""Tables for `kubectl get`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from telegen.adapter.quantities import binary_quantity, decimal_quantity

MEDIA_TYPE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_SIZES = {unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
_SCALES = {"m": 1, "": 1000} | {unit: 1000 ** (power + 1) for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)}
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


def table(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return PodMetrics or NodeMetrics as a Table; of a pod the sums of its containers."""
    columns = [
        {"name": name, "type": "string", "format": form, "description": description, "priority": 0} for name, form, description in _COLUMNS
    ]
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}}
    # Without rows both are null, as metrics-server has it; kubectl prints "No resources found" for it.
    return {**head, "columnDefinitions": columns if items else None, "rows": [_row(item) for item in items] or None}


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    usages = [container["usage"] for container in item["containers"]] if "containers" in item else [item["usage"]]
    cpu, memory = (sum(_thousandths(usage[name]) for usage in usages) for name in ("cpu", "memory"))
    cells = [item["metadata"]["name"], decimal_quantity(cpu), binary_quantity(memory), item["window"]]
    described = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}
    return {"cells": cells, "object": described}


def _thousandths(quantity: str) -> int:
    """Return a quantity of this adapter in thousandths."""
    number = quantity.rstrip("kmMGTPEi")
    unit = quantity[len(number):]
    factor: int = _SIZES[unit] * 1000 if unit in _SIZES else _SCALES[unit]
    return int(number) * factor
