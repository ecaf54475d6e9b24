"""Leases of the API (coordination.k8s.io/v1): records by which agents agree which of them serves a shard.

Writes are optimistic: an update names the resourceVersion that it replaces, and the API server refuses it (409) if the Lease
has changed since.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from telegen.api.client import Client
from telegen.api.errors import NotFound, ProtocolError

LABEL = "telegen.io/election"
"""Label of all Leases of one group of agents; its value is the name of the group."""
TOTAL = "telegen.io/total-shards"
"""Annotation: number of shards into which the holder divides the series."""
LAYOUT_KEY = "telegen.io/layout"
"""Annotation: number of the layout, the way in which agents divide the series among them."""
LAYOUT, OLD_LAYOUT = 2, 1
"""2: a Lease stands for all kube_* series of a shard. 1, which has no annotation: for all but those of pods, which the agent of
each node serves without a Lease."""
POSITION = "telegen.io/events-position"
"""Annotation of the first shard's Lease: resourceVersion and time of the last Kubernetes event that was sent."""
ACCEPT = "application/json"
RELEASED = 1
"""Duration of a Lease that its holder has released, as client-go writes it."""
_POSITION = re.compile(r"[0-9]{1,20}( [0-9TZ:.-]{1,40})?")
DIGITS = 9
"""Most digits of a number in an annotation."""


@dataclass(frozen=True)
class Lease:
    """One record, as read or to be written.

    Attributes:
        name: of the Lease.
        holder: identity of the holder, "" for none.
        duration: seconds for which it holds after a renewal; each agent counts them on its own clock.
        acquired, renewed: RFC 3339 times, for people: no agent compares them with its own clock.
        transitions: number of changes of the holder.
        total: number of shards that the holder knows; 0 if the record does not tell.
        layout: way in which the holder divides the series; 0 if the record does not tell.
        position: of the Kubernetes events that were sent, `VERSION TIME`; "" for none.
        version: resourceVersion, "" for a Lease that does not exist.
        uid: of this very object: a Lease that is deleted and created again has another.
    """

    name: str
    holder: str = ""
    duration: int = 0
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    total: int = 0
    layout: int = 0
    position: str = ""
    version: str = ""
    uid: str = ""

    @property
    def released(self) -> bool:
        """True if it never had a holder, or its holder has released it; false if a person has removed the holder's name."""
        was_released = self.duration == RELEASED and self.acquired == self.renewed
        return not self.holder and (not self.version or was_released)

    @property
    def record(self) -> tuple[str, str, str, int]:
        """The part that changes at every renewal."""
        return self.holder, self.acquired, self.renewed, self.transitions


def now_text() -> str:
    """Time of now as the API writes it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_lease(obj: Any) -> Lease:
    """Read the API's object.

    Raises:
        ProtocolError: it is no Lease.
    """
    try:
        metadata, spec = obj["metadata"], obj.get("spec") or {}
        annotations = metadata.get("annotations") or {}
        total = _number(annotations.get(TOTAL))
        return Lease(
            name=str(metadata["name"]),
            holder=str(spec.get("holderIdentity") or ""),
            duration=int(spec.get("leaseDurationSeconds") or 0),
            acquired=str(spec.get("acquireTime") or ""),
            renewed=str(spec.get("renewTime") or ""),
            transitions=int(spec.get("leaseTransitions") or 0),
            total=total,
            layout=_number(annotations.get(LAYOUT_KEY)) or (OLD_LAYOUT if total else 0),
            position=_position(annotations.get(POSITION)),
            version=str(metadata.get("resourceVersion") or ""),
            uid=str(metadata.get("uid") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"not a Lease: {type(error).__name__}: {error}") from error


def later_position(one: str, other: str) -> str:
    """Return the position with the greater resourceVersion; a malformed one counts as none."""
    return max(one, other, key=lambda text: int(version) if (version := text.partition(" ")[0]).isdecimal() else -1)


def _number(text: Any) -> int:
    """Number of an annotation that a person may have edited; 0 if it is none."""
    return int(text) if str(text).isdecimal() and len(text) <= DIGITS else 0


def _position(text: Any) -> str:
    """Return the position of events in an annotation that a person may have edited; "" if it is none."""
    return text if isinstance(text, str) and _POSITION.fullmatch(text) else ""


class Leases:
    """The Leases of one group in one namespace."""

    def __init__(self, client: Client, namespace: str, group: str, count: Callable[[str], None]) -> None:
        """Prepare requests.

        Args:
            group: value of their label.
            count: called with the verb of every request.
        """
        self.path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self.params = {"labelSelector": f"{LABEL}={group}"}
        self._client, self._namespace, self._group, self._count = client, namespace, group, count

    def list(self, newest: bool = False) -> dict[str, Lease]:
        """List all by name, from the API server's cache, which may be behind: a write based on it is refused then.

        Args:
            newest: read from etcd, so that every write that has succeeded is seen.

        Raises:
            ApiError, Unreachable, ProtocolError: as `Client.get` does.
        """
        self._count("list")
        found = self._client.get(self.path, self.params if newest else {**self.params, "resourceVersion": "0"}, ACCEPT)
        items = found.get("items") if isinstance(found, dict) else None
        return {lease.name: lease for lease in map(read_lease, items or ())}

    def get(self, name: str) -> Lease:
        """Get one as it is now; an empty record if it does not exist.

        Raises:
            ApiError, Unreachable, ProtocolError.
        """
        self._count("get")
        try:
            return read_lease(self._client.get(f"{self.path}/{name}", {}, ACCEPT))
        except NotFound:
            return Lease(name)

    def write(self, lease: Lease) -> Lease:
        """Create a Lease that has no version, else replace that version; return the stored record.

        Raises:
            Conflict: it has changed, was deleted, or exists already.
            NotFound: it was deleted.
            ApiError, Unreachable, ProtocolError: after the last two the write may or may not have been done.
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
        # Without the UID the API server takes an update of a deleted Lease for a creation.
        version = {"resourceVersion": lease.version, "uid": lease.uid} if lease.version else {}
        return {
            "name": lease.name,
            "namespace": self._namespace,
            "labels": {LABEL: self._group},
            "annotations": {
                TOTAL: str(lease.total),
                LAYOUT_KEY: str(lease.layout),
                **({POSITION: lease.position} if lease.position else {}),
            },
            **version,
        }
