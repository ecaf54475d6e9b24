"""Representations of objects that clients ask for in Accept: whole, PartialObjectMetadata, Table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from telegen.demo.state import Collection

Representation = Callable[[bytes], bytes]
"""Function from an object's JSON to the JSON that the client asked for."""


def whole(data: bytes) -> bytes:
    """Return the object unchanged."""
    return data


def metadata_only(data: bytes) -> bytes:
    """Return the object as PartialObjectMetadata."""
    obj = orjson.loads(data)
    return orjson.dumps({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]})


_COLUMNS = ("Name", "Type", "Data", "Age")


def table(data: bytes) -> bytes:
    """Return the object as a Table of one row, with the columns of secrets."""
    obj = orjson.loads(data)
    row = {
        "cells": [obj["metadata"]["name"], obj.get("type", ""), len(obj.get("data") or {}), "1d"],
        "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]},
    }
    columns = [{"name": name, "type": "string"} for name in _COLUMNS]
    return orjson.dumps(
        {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": columns, "rows": [row]}
    )


def join_tables(tables: list[bytes], metadata: bytes) -> bytes:
    """Join Tables of one row each to a Table with the metadata of the list."""
    rows = [row for table in tables for row in orjson.loads(table)["rows"]]
    columns = [{"name": name, "type": "string"} for name in _COLUMNS]
    joined = {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": orjson.loads(metadata),
        "columnDefinitions": columns,
        "rows": rows,
    }
    return orjson.dumps(joined)


def choose_representation(accept: str) -> Representation:
    """Return the first choice of an Accept header."""
    first = accept.split(",")[0]
    return metadata_only if "as=PartialObjectMetadata" in first else table if "as=Table" in first else whole


def event(kind: bytes, data: bytes) -> bytes:
    """Return the line of a watch event."""
    return b'{"type":"%s","object":%s}\n' % (kind, data)


def bookmark(collection: Collection, version: int, represent: Representation, annotations: dict[str, str] | None) -> bytes:
    """Return the line of a bookmark."""
    metadata: dict[str, Any] = {
        "name": "",
        "resourceVersion": str(version),
        **({"annotations": annotations} if annotations else {}),
    }
    obj = {"kind": collection.kind, "apiVersion": collection.api_version, "metadata": metadata}
    return event(b"BOOKMARK", represent(orjson.dumps(obj)))
