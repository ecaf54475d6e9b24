"""Agents to poll, by EndpointSlices, and labels of nodes."""

from __future__ import annotations

from typing import Any

import pytest

from telegen.adapter.agents.endpoints import WatchedNodes, WatchedSlices


def slice_of(name: str, *endpoints: dict[str, Any], ports: Any = ({"name": "adapter", "port": 9444},), **more: Any) -> dict[str, Any]:
    """Return an EndpointSlice."""
    return {"metadata": {"name": name}, "addressType": "IPv4", "endpoints": list(endpoints), "ports": list(ports), **more}


def endpoint(address: str, node: str = "n1", uid: str = "", **conditions: bool) -> dict[str, Any]:
    """Return an endpoint."""
    return {"addresses": [address], "nodeName": node, "conditions": conditions, **({"targetRef": {"uid": uid}} if uid else {})}


CASES: dict[str, tuple[list[dict[str, Any]], dict[str, bool]]] = {
    "ready": ([slice_of("a", endpoint("10.0.0.1", ready=True))], {"10.0.0.1:9444": True}),
    "no condition": ([slice_of("a", endpoint("10.0.0.1"))], {"10.0.0.1:9444": True}),
    "not ready": ([slice_of("a", endpoint("10.0.0.1", ready=False))], {"10.0.0.1:9444": False}),
    "terminating": ([slice_of("a", endpoint("10.0.0.1", ready=False, serving=False, terminating=True))], {}),
    "terminating and serving": (
        [slice_of("a", endpoint("10.0.0.1", ready=False, serving=True, terminating=True))],
        {"10.0.0.1:9444": False},
    ),
    "two slices": (
        [slice_of("a", endpoint("10.0.0.1")), slice_of("b", endpoint("10.0.0.2"))],
        {"10.0.0.1:9444": True, "10.0.0.2:9444": True},
    ),
    "one pod in two slices": (
        [slice_of("a", endpoint("10.0.0.1", uid="u", ready=False)), slice_of("b", endpoint("10.0.0.1", uid="u", ready=True))],
        {"10.0.0.1:9444": True},
    ),
    "two families": (
        [slice_of("a", endpoint("fd00::1", uid="u"), addressType="IPv6"), slice_of("b", endpoint("10.0.0.1", uid="u"))],
        {"10.0.0.1:9444": True},
    ),
    "IPv6": ([slice_of("a", endpoint("fd00::1", uid="u"), addressType="IPv6")], {"[fd00::1]:9444": True}),
    "host names": ([slice_of("a", endpoint("agent.example"), addressType="FQDN")], {}),
    "other port": ([slice_of("a", endpoint("10.0.0.1"), ports=[{"name": "x", "port": 7}])], {"10.0.0.1:7": True}),
    "named port": (
        [slice_of("a", endpoint("10.0.0.1"), ports=[{"name": "metrics", "port": 7}, {"name": "adapter", "port": 8}])],
        {"10.0.0.1:8": True},
    ),
    "no port": ([slice_of("a", endpoint("10.0.0.1"), ports=[])], {"10.0.0.1:9444": True}),
    "no endpoints": ([slice_of("a"), {"metadata": {"name": "b"}, "endpoints": None, "ports": None}], {}),
}
"""By name: slices, and whether each address is ready."""


@pytest.mark.parametrize("name", CASES)
def test_endpoints_of_slices(name: str) -> None:
    """Each pod is one agent, at its port, as ready as its slices show it."""
    slices, expected = CASES[name]
    watched = WatchedSlices()
    watched.replace(("ADDED", one) for one in slices)
    found = watched.take_endpoints()
    assert found is not None and {address: one.is_ready for address, one in found.items()} == expected


def test_changes_only() -> None:
    """Nothing is taken while nothing changes; slices that come and go do."""
    watched = WatchedSlices()
    assert watched.take_endpoints() is None and not watched.is_synced
    watched.replace([("ADDED", slice_of("a", endpoint("10.0.0.1", "n7")))])
    found = watched.take_endpoints()
    assert watched.is_synced and found and found["10.0.0.1:9444"].node == "n7" and watched.take_endpoints() is None
    watched.upsert(slice_of("a", endpoint("10.0.0.1", "n7")))
    assert watched.take_endpoints() is None
    watched.upsert(slice_of("b", endpoint("10.0.0.2")))
    assert list(watched.take_endpoints() or ()) == ["10.0.0.1:9444", "10.0.0.2:9444"]
    watched.delete(slice_of("a"))
    assert list(watched.take_endpoints() or ()) == ["10.0.0.2:9444"]


def test_labels_of_nodes() -> None:
    """Labels are kept as JSON; a heartbeat of a node is no change."""
    watched = WatchedNodes()
    watched.replace([("ADDED", {"metadata": {"name": "n1", "labels": {"a": "b"}}}), ("ADDED", {"metadata": {"name": "n2"}})])
    assert watched.take_change() == {"n1": b'{"a":"b"}', "n2": b"{}"}
    watched.upsert({"metadata": {"name": "n1", "labels": {"a": "b"}, "resourceVersion": "9"}})
    assert watched.take_change() is None
