#!/usr/bin/env python3
"""Write schema.json from a real kube-apiserver: `python -m tests.kubestate.fetch_schema` (needs `make cluster-tools`).

The file has the definitions of /openapi/v3 that the resources in the registry refer to, without descriptions. Run it for a
new resource, and when tests/cluster moves to another version of Kubernetes.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from telegen.kubestate.registry import RESOURCES
from tests.cluster.binaries import Programs
from tests.cluster.control_plane import ControlPlane

SCHEMA = Path(__file__).parent / "schema.json"
REFERENCE = "#/components/schemas/"
KEPT = frozenset(
    ("type", "format", "enum", "items", "properties", "additionalProperties", "required", "allOf", "oneOf", "anyOf", "$ref", "nullable")
)
"""Keys of a schema that decide which values are valid. Defaults do not: the server may or may not set them."""


def main() -> int:
    """Start a control plane, read its schemas, and write the file."""
    with tempfile.TemporaryDirectory() as temporary:
        with ControlPlane.running(Programs.found(), Path(temporary)) as plane:
            found = schemas(plane)
    lines = [f"{json.dumps(name)}: {json.dumps(found[name], separators=(',', ':'), sort_keys=True)}" for name in sorted(found)]
    SCHEMA.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{SCHEMA}: {len(found)} definitions, {SCHEMA.stat().st_size} bytes")
    return 0


def schemas(plane: ControlPlane) -> dict[str, Any]:
    """Return definitions by name; those of the resources by plural name."""
    definitions: dict[str, Any] = {}
    roots: dict[str, str] = {}
    for version in sorted({resource.api_version for resource in RESOURCES.values()}):
        path = f"apis/{version}" if "/" in version else f"api/{version}"
        document = plane.request("GET", f"/openapi/v3/{path}")["components"]["schemas"]
        definitions |= document
        for name, definition in document.items():
            for kind in definition.get("x-kubernetes-group-version-kind", ()):
                roots["/".join(filter(None, (kind["group"], kind["version"], kind["kind"])))] = name
    found: dict[str, Any] = {}
    for resource in RESOURCES.values():
        name = roots[f"{resource.api_version}/{resource.kind}"]
        found[resource.name] = {"$ref": name}
        _take(name, definitions, found)
    return found


def _take(name: str, definitions: dict[str, Any], found: dict[str, Any]) -> None:
    """Add a definition and all that it refers to."""
    if name not in found:
        found[name] = _pruned(definitions[name])
        for other in _references(found[name]):
            _take(other, definitions, found)


def _pruned(schema: Any) -> Any:
    """Return a schema with the keys of `KEPT` only, and references by bare name."""
    kept = {key: value for key, value in schema.items() if key in KEPT}
    for key in ("allOf", "oneOf", "anyOf"):
        if key in kept:
            kept[key] = [_pruned(inner) for inner in kept[key]]
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = _pruned(kept[key])
    if "properties" in kept:
        kept["properties"] = {name: _pruned(inner) for name, inner in kept["properties"].items() if name != "managedFields"}
    if "$ref" in kept:
        kept["$ref"] = kept["$ref"].removeprefix(REFERENCE)
    return kept


def _references(schema: Any) -> Iterator[str]:
    """Yield the names that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)


if __name__ == "__main__":
    sys.exit(main())
