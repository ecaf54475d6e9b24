"""Representations of objects, as the Accept header selects them, and events of a watch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from telegen.demo.state import Collection

Shape = Callable[[bytes], bytes]
"""A function from an object's JSON to the representation that a client has asked for."""


def whole(data: bytes) -> bytes:
    """Return the object as it is."""
    return data


def metadata_only(data: bytes) -> bytes:
    """Return a PartialObjectMetadata."""
    obj = orjson.loads(data)
    return orjson.dumps({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]})


COLUMNS = ("Name", "Type", "Data", "Age")


def table(data: bytes) -> bytes:
    """Return a Table of one row, with the columns of secrets."""
    obj = orjson.loads(data)
    row = {
        "cells": [obj["metadata"]["name"], obj.get("type", ""), len(obj.get("data") or {}), "1d"],
        "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]},
    }
    columns = [{"name": name, "type": "string"} for name in COLUMNS]
    return orjson.dumps(
        {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": columns, "rows": [row]}
    )


def joined_table(tables: list[bytes], metadata: bytes) -> bytes:
    """Return one Table with the rows of several."""
    rows = [row for one in tables for row in orjson.loads(one)["rows"]]
    columns = [{"name": name, "type": "string"} for name in COLUMNS]
    joined = {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": orjson.loads(metadata),
        "columnDefinitions": columns,
        "rows": rows,
    }
    return orjson.dumps(joined)


def shape_of(accept: str) -> Shape:
    """Return the representation that is the first choice of an Accept header."""
    first = accept.split(",")[0]
    return metadata_only if "as=PartialObjectMetadata" in first else table if "as=Table" in first else whole


def event(kind: bytes, data: bytes) -> bytes:
    """Return a line of a watch."""
    return b'{"type":"%s","object":%s}\n' % (kind, data)


def bookmark(collection: Collection, version: int, shape: Shape, annotations: dict[str, str] | None) -> bytes:
    """Return a BOOKMARK line for a version of the state."""
    metadata: dict[str, Any] = {
        "name": "",
        "resourceVersion": str(version),
        **({"annotations": annotations} if annotations else {}),
    }
    obj = {"kind": collection.kind, "apiVersion": collection.api_version, "metadata": metadata}
    return event(b"BOOKMARK", shape(orjson.dumps(obj)))
