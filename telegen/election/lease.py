"""Leases of the API (coordination.k8s.io/v1): the records by which agents agree who serves what.

Writing is optimistic: an update names the version that it changes, and the API server refuses it (409) when somebody
has written meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from telegen.api.client import Client
from telegen.api.errors import NotFound, ProtocolError
from telegen.api.representation import REPRESENTATIONS

LABEL = "telegen.io/election"
"""Label of all Leases of one group of agents; its value is the group's name."""
TOTAL = "telegen.io/total-shards"
"""Annotation: into how many shards the holder divides the cluster."""
NODES = "telegen.io/nodes"
"""Annotation: how many nodes the cluster has, as the holder has counted them."""
ACCEPT = "application/json"
RELEASED = 1
"""Duration of a Lease that was given back, as client-go writes it."""
DIGITS = 9
"""Of a number in an annotation: all that fit into the API's own numbers."""


@dataclass(frozen=True)
class Lease:
    """One record, as it was read or is to be written.

    Attributes:
        name: of the Lease.
        holder: identity of who holds it, "" for nobody.
        duration: seconds that it holds after it was renewed; counted by whoever looks on, on a clock of its own.
        acquired, renewed: RFC 3339 times, for people: no agent compares them with its own clock.
        transitions: how often the holder has changed.
        total: number of shards that the holder knows of.
        nodes: number of nodes that the holder knows of, 0 when it does not.
        version: resourceVersion, "" for a Lease that does not exist.
        uid: of this very object: one that was deleted and made anew has another.
    """

    name: str
    holder: str = ""
    duration: int = 0
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    total: int = 0
    nodes: int = 0
    version: str = ""
    uid: str = ""

    @property
    def released(self) -> bool:
        """Whether nobody ever held it, or who did has given it back; not when somebody else has taken the holder's name out."""
        given_back = self.duration == RELEASED and self.acquired == self.renewed
        return not self.holder and (not self.version or given_back)

    @property
    def record(self) -> tuple[str, str, str, int]:
        """What changes whenever the holder does anything."""
        return self.holder, self.acquired, self.renewed, self.transitions


def now_text() -> str:
    """The time of day as Leases carry it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_lease(obj: Any) -> Lease:
    """From the API's object.

    Raises:
        ProtocolError: it is none.
    """
    try:
        metadata, spec = obj["metadata"], obj.get("spec") or {}
        annotations = metadata.get("annotations") or {}
        return Lease(
            name=str(metadata["name"]),
            holder=str(spec.get("holderIdentity") or ""),
            duration=int(spec.get("leaseDurationSeconds") or 0),
            acquired=str(spec.get("acquireTime") or ""),
            renewed=str(spec.get("renewTime") or ""),
            transitions=int(spec.get("leaseTransitions") or 0),
            total=_number(annotations.get(TOTAL)),
            nodes=_number(annotations.get(NODES)),
            version=str(metadata.get("resourceVersion") or ""),
            uid=str(metadata.get("uid") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"no Lease: {type(error).__name__}: {error}") from error


def _number(text: Any) -> int:
    """A number that people may have written over; 0 when it is none."""
    return int(text) if str(text).isdecimal() and len(text) <= DIGITS else 0


class Leases:
    """The Leases of one group in one namespace."""

    def __init__(self, client: Client, namespace: str, group: str, count: Callable[[str], None]) -> None:
        """Prepare requests.

        Args:
            group: value of their label.
            count: told the verb of every request, or `nodes`.
        """
        self.path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self.params = {"labelSelector": f"{LABEL}={group}"}
        self._client, self._namespace, self._group, self._count = client, namespace, group, count

    def list(self, newest: bool = False) -> dict[str, Lease]:
        """All of them by name, out of the server's cache: it may be a moment behind, which a write would notice.

        Args:
            newest: every write that has succeeded before is to be seen.

        Raises:
            ApiError, Unreachable, ProtocolError: as `Client.get` does.
        """
        self._count("list")
        found = self._client.get(self.path, self.params if newest else {**self.params, "resourceVersion": "0"}, ACCEPT)
        items = found.get("items") if isinstance(found, dict) else None
        return {lease.name: lease for lease in map(read_lease, items or ())}

    def count_nodes(self) -> int:
        """How many nodes the cluster has, by a list of one; 0 when the server does not say.

        Raises:
            ApiError, Unreachable, ProtocolError.
        """
        self._count("nodes")
        found = self._client.get("/api/v1/nodes", {"limit": "1"}, REPRESENTATIONS["metadata"].list_accept)
        if not isinstance(found, dict):
            raise ProtocolError("a list is no object")
        metadata, items = found.get("metadata") or {}, found.get("items") or ()
        rest = metadata.get("remainingItemCount") if metadata.get("continue") else 0
        return len(items) + rest if isinstance(rest, int) else 0

    def get(self, name: str) -> Lease:
        """One as it is now; an empty record when there is none.

        Raises:
            ApiError, Unreachable, ProtocolError.
        """
        self._count("get")
        try:
            return read_lease(self._client.get(f"{self.path}/{name}", {}, ACCEPT))
        except NotFound:
            return Lease(name)

    def write(self, lease: Lease) -> Lease:
        """Write one whole: create it when it has no version, else update that version; gives what is stored now.

        Raises:
            Conflict: it has changed meanwhile, or is gone, or exists already.
            NotFound: it is gone.
            ApiError, Unreachable, ProtocolError: the outcome of the last two is not known.
        """
        obj = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": self._metadata(lease)}
        spec = {
            "holderIdentity": lease.holder,
            "leaseDurationSeconds": lease.duration,
            "acquireTime": lease.acquired,
            "renewTime": lease.renewed,
            "leaseTransitions": lease.transitions,
        }
        method, path = ("PUT", f"{self.path}/{lease.name}") if lease.version else ("POST", self.path)
        self._count("update" if lease.version else "create")
        return read_lease(self._client.write(method, path, {**obj, "spec": spec}))

    def _metadata(self, lease: Lease) -> dict[str, Any]:
        # Without the UID the API server would take an update of what is gone for a creation.
        version = {"resourceVersion": lease.version, "uid": lease.uid} if lease.version else {}
        nodes = {NODES: str(lease.nodes)} if lease.nodes else {}
        return {
            "name": lease.name,
            "namespace": self._namespace,
            "labels": {LABEL: self._group},
            "annotations": {TOTAL: str(lease.total), **nodes},
            **version,
        }
