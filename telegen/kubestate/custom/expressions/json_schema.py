"""JSON Schema of the format with expressions, for editors. It accepts what the reader takes as the right type, and nothing else.

The reader takes scalars as they are written: `name: 5` is the text 5, `scale: "2"` the number 2, and a key without a value has its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from telegen.kubestate.custom.expressions import written

Schema = dict[str, Any]

_NULL: Schema = {"type": "null"}
_NUMBER = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"
_SCALARS: Mapping[str, Schema] = {
    "string": {"type": ["string", "number", "boolean"]},
    "number": {"type": ["number", "string"], "pattern": _NUMBER},
    "integer": {"type": ["integer", "string"], "pattern": r"^\d+(\.0+)?$"},
    "boolean": {"enum": [True, False, 1, 0, "1", "0", "true", "false", "True", "False", "TRUE", "FALSE"]},
}
"""Schema of a scalar by its type."""


def schema() -> Schema:
    """Return the JSON Schema of a file."""
    made = msgspec.json.schema(written.File)
    definitions = {name: _as_written(one) for name, one in made["$defs"].items()}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "$defs": definitions}


def _as_written(part: Schema) -> Schema:
    """Return a schema for values as they are written."""
    if "anyOf" in part:
        return {**part, "anyOf": [_as_written(one) for one in part["anyOf"]]}
    kind = part.get("type")
    if kind == "array":
        return {**part, "items": _as_written(part["items"])}
    if kind == "object" and "properties" in part:
        needed = part["required"]
        return {**part, "properties": {key: _property(one, key in needed) for key, one in part["properties"].items()}}
    if kind == "object":
        return {**part, "additionalProperties": _or_null(_as_written(part["additionalProperties"]))}
    if isinstance(kind, str) and kind in _SCALARS:
        rest = {key: value for key, value in part.items() if key != "type"}
        return {**rest, **(_name(part["pattern"]) if "pattern" in part else _SCALARS[kind])}
    return part


def _name(pattern: str) -> Schema:
    """Return the schema of a text with a pattern: of numbers only some are such names."""
    return {"type": ["string", "number" if "." in pattern else "integer", "boolean"], "minimum": 0}


def _property(part: Schema, is_needed: bool) -> Schema:
    made = _as_written(part)
    return made if is_needed else _or_null(made)


def _or_null(part: Schema) -> Schema:
    """Return a schema that accepts null as well: the reader leaves out keys without a value."""
    if "type" in part:
        kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
        return {**part, "type": [*kinds, "null"]}
    if "enum" in part:
        return {**part, "enum": [*part["enum"], None]}
    return {**part, "anyOf": [*part.get("anyOf", ()), _NULL]} if "$ref" not in part else {"anyOf": [part, _NULL]}
