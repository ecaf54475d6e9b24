"""CustomResourceDefinitions."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.fields import items, text
from telegen.kubestate.health.conditions import read_conditions
from telegen.kubestate.health.schema import READS
from telegen.kubestate.health.table import NUMBERS
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA, Object, Row, gauge

PREFIX = "telegen_crd"
_group, _kind, _scope, _versions = text("spec.group"), text("spec.names.kind"), text("spec.scope"), items("spec.versions")


def _info(obj: Object) -> Iterable[Row]:
    storage = next((version["name"] for version in _versions(obj) if version.get("storage")), "")
    return [(_group(obj), _kind(obj), _scope(obj), storage, 1)]


def _conditions(obj: Object) -> Iterable[Row]:
    return [(one.type, NUMBERS[one.status]) for one in read_conditions((obj.get("status") or {}).get("conditions"))]


def _versions_served(obj: Object) -> Iterable[Row]:
    return [(version["name"], bool(version.get("served"))) for version in _versions(obj)]


def _stored(obj: Object) -> Iterable[Row]:
    return [(version, 1) for version in (obj.get("status") or {}).get("storedVersions") or ()]


CRDS = Resource(
    name="customresourcedefinitions",
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    namespaced=False,
    identity=(name_label("name"),),
    families=(
        gauge(
            f"{PREFIX}_info", "One series per definition, always 1 (spec.group, spec.names.kind, spec.scope, spec.versions[].storage).",
            ALPHA, _info, "group", "kind", "scope", "storage_version",
        ),
        gauge(
            f"{PREFIX}_condition",
            "1 for a condition that is True, 0 for False, -1 for Unknown; Established, NamesAccepted (status.conditions[].status).",
            ALPHA, _conditions, "type",
        ),
        gauge(
            f"{PREFIX}_version_served", "1 for a version that the API server serves, 0 for another one (spec.versions[].served).",
            ALPHA, _versions_served, "version",
        ),
        gauge(
            f"{PREFIX}_stored_version",
            "One series per version that objects may be stored in, always 1 (status.storedVersions).",
            ALPHA, _stored, "version",
        ),
    ),
    reads=(
        "spec.group", "spec.names", "spec.scope", "spec.versions[].name", "spec.versions[].served", "spec.versions[].storage",
        "status.conditions", "status.storedVersions", *READS,
    ),
)  # fmt: skip
"""The definitions without their schemas, which are most of their size."""
