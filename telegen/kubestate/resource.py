"""A watched resource as data: where the API has it, what names it in labels, and its table of families."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from telegen.kubestate.fields import text
from telegen.metrics.family import FamilyGenerator, Object

Representation = Literal["object", "metadata", "table"]
"""How much of the object is asked for: all of it, PartialObjectMetadata, or a Table with its metadata."""

Identity = tuple[tuple[str, Callable[[Object], str]], ...]
"""Label names and readers that every sample of the resource begins with, in order."""

NAMESPACE = ("namespace", text("metadata.namespace"))
"""The label of an object's namespace, empty for cluster-scoped kinds."""


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
"""What is read of every object's metadata: not managedFields, the half of many an object."""


def named(label: str) -> tuple[str, Callable[[Object], str]]:
    """The label of an object's name."""
    return label, text("metadata.name")


@dataclass(frozen=True)
class Resource:
    """One resource of the API and everything that is said of it.

    Attributes:
        name: plural resource name, `pods`; also its name in the configuration.
        group: API group, "" for core.
        version: API version, `v1`.
        kind: `Pod`.
        namespaced: False for cluster-scoped resources.
        identity: labels on every sample, with the function that reads each from an object.
        families: the table, in the order of exposition.
        representation: what the agent asks the API server for (no more than is shown).
        default: watched unless the configuration says otherwise.
        reads: paths of all that the table reads beside `METADATA`, where objects hold much that it does not (see
            `telegen.api.decoding`). Empty: the whole object is read.
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
        """Paths of all that must be there of an object; empty for everything."""
        return (*METADATA, *self.reads) if self.reads else ()

    @property
    def api_version(self) -> str:
        """`v1` or `apps/v1`, as objects carry it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "") -> str:
        """URL path of the collection, of one namespace when given: `/apis/apps/v1/namespaces/shop/deployments`."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{inside}/{self.name}"
