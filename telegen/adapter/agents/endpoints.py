"""Agents to poll, from the EndpointSlices of their headless Service, and labels of nodes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from telegen.api.collection import Collection
from telegen.api.protocols import Event
from telegen.api.representation import Object

PORT_NAME = "adapter"
PORT = 9444
"""Port of a slice that names none."""
NODES = Collection("/api/v1/nodes", "metadata", reads=("metadata.name", "metadata.uid", "metadata.labels", "metadata.resourceVersion"))


class Endpoint(NamedTuple):
    """An agent.

    Attributes:
        node: name of its node, "" if the slice does not have it.
        is_ready: False for an agent that is not ready, or is terminating. It is polled all the same, but not expected to answer.
    """

    host: str
    port: int
    node: str
    is_ready: bool

    @property
    def address(self) -> str:
        """Host and port as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def slices_of(namespace: str, service: str) -> Collection:
    """Collection of the slices of a Service."""
    params = {"labelSelector": f"kubernetes.io/service-name={service}"}
    return Collection(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", params=params)


class _Watched:
    """Objects of one collection, each reduced to what is used of it; fed by one thread, read by another.

    Attributes:
        is_synced: True once a complete state has come.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, Any] = {}
        self._is_changed = self.is_synced = False

    def replace(self, events: Iterable[Event]) -> None:
        """Take a complete state."""
        objects = {_name(obj): self.reduce(obj) for _, obj in events}
        with self._lock:
            self._objects, self._is_changed, self.is_synced = objects, True, True

    def upsert(self, obj: Object) -> None:
        """Take an object."""
        name, reduced = _name(obj), self.reduce(obj)
        with self._lock:
            self._is_changed = self._is_changed or self._objects.get(name) != reduced
            self._objects[name] = reduced

    def delete(self, obj: Object) -> None:
        """Remove an object."""
        with self._lock:
            self._is_changed = self._objects.pop(_name(obj), None) is not None or self._is_changed

    def bookmark(self, resource_version: str) -> None:
        """Do nothing: the reflector keeps the version."""

    def reduce(self, obj: Object) -> Any:
        """Return what is used of an object."""
        raise TypeError(f"{type(self).__name__} has no reduce()")

    def take_change(self) -> dict[str, Any] | None:
        """Return all objects if any has changed since the last call, else None."""
        with self._lock:
            if not self._is_changed:
                return None
            self._is_changed = False
            return dict(self._objects)


class WatchedSlices(_Watched):
    """Endpoints of the slices of the agents' Service."""

    def reduce(self, obj: Object) -> tuple[tuple[str, Endpoint], ...]:
        """Return (UID of the pod or else address, endpoint) of each endpoint."""
        if obj.get("addressType") == "FQDN":
            return ()
        port, found = _port(obj), list[tuple[str, Endpoint]]()
        for endpoint in obj.get("endpoints") or ():
            addresses = endpoint.get("addresses") or ()
            conditions = endpoint.get("conditions") or {}
            if not addresses or (conditions.get("terminating") and conditions.get("serving") is False):
                continue
            # Absent means ready.
            is_ready = conditions.get("ready") is not False
            uid = (endpoint.get("targetRef") or {}).get("uid") or addresses[0]
            found.append((uid, Endpoint(addresses[0], port, endpoint.get("nodeName") or "", is_ready)))
        return tuple(found)

    def take_endpoints(self) -> Mapping[str, Endpoint] | None:
        """Return the endpoints by address if any has changed, else None. A pod with an IPv4 and an IPv6 address is one."""
        slices = self.take_change()
        if slices is None:
            return None
        pods = dict[str, Endpoint]()
        for found in slices.values():
            for uid, endpoint in found:
                known = pods.get(uid)
                # While an endpoint moves from one slice to another, both may have it.
                if known is None or (":" in known.host, not known.is_ready) > (":" in endpoint.host, not endpoint.is_ready):
                    pods[uid] = endpoint
        return {endpoint.address: endpoint for endpoint in pods.values()}


class WatchedNodes(_Watched):
    """Labels of nodes, each as a JSON object."""

    def reduce(self, obj: Object) -> bytes:
        """Return the labels."""
        # PERF: orjson would leave 3 kB of free memory behind each document that is kept.
        return msgspec.json.encode(obj["metadata"].get("labels") or {})


def _name(obj: Object) -> str:
    return str(obj["metadata"].get("name") or "")


def _port(obj: Object) -> int:
    """Port named `adapter`, or the only one."""
    ports = [port for port in obj.get("ports") or () if isinstance(port.get("port"), int)]
    named = [port["port"] for port in ports if port.get("name") == PORT_NAME]
    return int(named[0] if named else ports[0]["port"] if len(ports) == 1 else PORT)
