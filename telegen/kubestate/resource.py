"""Watched resources as data: API path, identity labels, and table of families."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from telegen.kubestate.fields import text
from telegen.metrics.family import FamilyGenerator, Object

Representation = Literal["object", "metadata", "table"]
"""Requested form of an object: complete, PartialObjectMetadata, or a Table with its metadata."""

Identity = tuple[tuple[str, Callable[[Object], str]], ...]
"""Labels that every sample of the resource begins with, in order: name and reader."""

NAMESPACE = ("namespace", text("metadata.namespace"))
"""Label of the namespace; empty for cluster-scoped objects."""

METADATA = tuple(
    f"metadata.{field}"
    for field in (
        "annotations",
        "creationTimestamp",
        "deletionTimestamp",
        "generation",
        "labels",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "uid",
    )
)
"""Paths that are decoded of the metadata of every object. managedFields is not: it is half of the size of many objects."""


def name_label(label: str) -> tuple[str, Callable[[Object], str]]:
    """Make the label of the object's name."""
    return label, text("metadata.name")


@dataclass(frozen=True)
class Resource:
    """One resource of the API and its families.

    Attributes:
        name: plural resource name, `pods`; also its name in the configuration.
        group: API group, "" for core.
        version: API version, `v1`.
        kind: `Pod`.
        namespaced: False for cluster-scoped resources.
        identity: labels on every sample, with the function that reads each from an object.
        families: the table, in the order of exposition.
        representation: form in which the agent requests objects: no more of them than the table reads.
        default: watched if the configuration names no resources.
        reads: paths that the table reads besides `METADATA`; only these are decoded (see `telegen.api.decoding`). Worth
            listing for large objects. Empty: the whole object is decoded.
    """

    name: str
    group: str
    version: str
    kind: str
    namespaced: bool
    identity: Identity
    families: tuple[FamilyGenerator, ...]
    representation: Representation = "object"
    default: bool = True
    reads: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Paths that must be decoded of an object; empty for all."""
        return (*METADATA, *self.reads) if self.reads else ()

    @property
    def api_version(self) -> str:
        """API version as in objects: `v1` or `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """Name of the resource with its group: `deployments.apps`."""
        return f"{self.name}.{self.group}" if self.group else self.name

    def path(self, namespace: str = "") -> str:
        """Return the URL path of the collection, or of one namespace: `/apis/apps/v1/namespaces/shop/deployments`."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{inside}/{self.name}"
