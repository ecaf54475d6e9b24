"""Resource of what the agent sends."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from telegen.config import NamedCluster, load
from workers._events.loop import EventLoop
from workers._resource import sender_attributes
from workers._sample.termination_logs import TerminationLogs

SETTINGS = "{kubernetes: {cluster_uid: true, cluster_name: east}, kube_metrics: {node_name: n1, otlp: {service_version: false}}}"


@pytest.fixture
def worker(tmp_path: Path) -> Any:
    """A worker that knows the UID of its cluster."""
    path = tmp_path / "config.yaml"
    path.write_text(SETTINGS)
    shared = SimpleNamespace(environ={}, uid=SimpleNamespace(read=lambda: "u1"))
    return SimpleNamespace(config=load(str(path), {}), shared=shared)


def test_attributes(worker: Any) -> None:
    """The agent's own cluster has its name and UID; one of several clusters has its name alone."""
    base = {"service.name": "telegen", "service.instance.id": "i", "k8s.cluster.name": "east", "k8s.cluster.uid": "u1"}
    assert sender_attributes(worker, "i") == base
    assert sender_attributes(worker, "i", "n1") == {**base, "k8s.node.name": "n1"}
    del base["k8s.cluster.uid"]
    assert sender_attributes(worker, "i", cluster=NamedCluster("west", "")) == {**base, "k8s.cluster.name": "west"}


def test_variables_do_not_rename_clusters(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of a cluster in the file wins over OTEL_RESOURCE_ATTRIBUTES, which would give several clusters one name."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.cluster.name=other,team=a")
    names = [sender_attributes(worker, "i", cluster=cluster)["k8s.cluster.name"] for cluster in (None, NamedCluster("west", ""))]
    assert (names, sender_attributes(worker, "i")["team"]) == (["east", "west"], "a")


@pytest.mark.parametrize("sender", [EventLoop, TerminationLogs])
def test_logs_have_the_attributes_of_the_metrics(sender: Any, worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events and ends of containers name their cluster as the pushed metrics do, so that they can be joined."""
    monkeypatch.setattr(f"{sender.__module__}.receiver_client", lambda receiver: None)
    made = object.__new__(sender)
    made._worker, made._receiver, made._buffer, made._given_up = worker, None, None, None
    found = made._make_sender(None, Event()) if sender is EventLoop else made._make_sender()
    assert found._shared["k8s.cluster.uid"] == "u1"
