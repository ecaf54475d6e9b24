"""Facts about a kind from the schema of its definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from telegen.metrics.family import Object

SCHEMA = "spec.versions[].schema.openAPIV3Schema"
READS = (
    f"{SCHEMA}.x-kubernetes-preserve-unknown-fields",
    f"{SCHEMA}.properties.status.type",
    f"{SCHEMA}.properties.status.x-kubernetes-preserve-unknown-fields",
    f"{SCHEMA}.properties.status.properties.phase.enum",
    f"{SCHEMA}.properties.status.properties.state.enum",
    "spec.versions[].subresources.scale",
)
"""Paths of a definition that `schemas` reads: a few hundred bytes of schemas that may have a megabyte."""


@dataclass(frozen=True)
class Schema:
    """One version of a kind.

    Attributes:
        has_status: False if the schema has no field `status`.
        has_phases: True if the schema lists the phases.
        replicas: paths of the wanted and of the current replicas, from the subresource `scale`; "" for none.
    """

    has_status: bool = True
    has_phases: bool = False
    replicas: tuple[str, str] = ("", "")


def schemas(definition: Object) -> Iterator[tuple[str, Schema]]:
    """Yield the name and the schema of each served version of a definition."""
    for version in _dict(definition, "spec").get("versions") or ():
        if version.get("served"):
            yield version["name"], _schema(version)


def _schema(version: Object) -> Schema:
    root = _dict(_dict(version, "schema"), "openAPIV3Schema")
    status = _dict(_dict(root, "properties"), "status")
    preserves = bool(root.get("x-kubernetes-preserve-unknown-fields"))
    fields = _dict(status, "properties")
    scale = _dict(_dict(version, "subresources"), "scale")
    return Schema(
        has_status=bool(status) or preserves or "properties" not in root,
        has_phases=any(_dict(fields, name).get("enum") for name in ("phase", "state")),
        replicas=(_path(scale.get("specReplicasPath")), _path(scale.get("statusReplicasPath"))),
    )


def _path(value: Any) -> str:
    """Return a JSON path of the subresource, `.spec.replicas`, as a dotted path; "" for anything else."""
    return value[1:] if isinstance(value, str) and value.startswith((".spec.", ".status.")) and "[" not in value else ""


def _dict(obj: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = obj.get(key)
    return value if isinstance(value, dict) else {}
