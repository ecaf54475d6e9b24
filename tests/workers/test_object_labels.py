"""Labels of the objects of events, from a scripted API server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from telegen.api.client import Client, Timeouts
from telegen.api.credentials import credentials
from tests.api.wire import ScriptedServer, Step, answer, refusal
from workers._events.object_labels import KEEP, PAUSE, RATE, ObjectLabels

POD = {"kind": "Pod", "apiVersion": "v1", "namespace": "shop", "name": "web-1", "uid": "u"}
NODE = {"kind": "Node", "name": "node-1", "uid": "node-1"}


def found(name: str = "web-1", uid: str = "u", labels: Any = None) -> Step:
    """Answer with a list of one object."""
    labels = {"app": "web", "app.kubernetes.io/part-of": "shop", "tier": "x"} if labels is None else labels
    return answer({"items": [{"metadata": {"name": name, "uid": uid, "labels": labels}}]})


class Reading:
    """Labels with a clock that is set, and the outcomes."""

    def __init__(self, server: ScriptedServer) -> None:
        self.now, self.server, self.outcomes = 0.0, server, list[str]()
        client = Client(credentials(server.url, {}), Timeouts(30.0, 30.0))
        watched = ("pods", "nodes", "secrets", "horizontalpodautoscalers")
        self.labels = ObjectLabels(client, ("app*",), watched, self.outcomes.append, lambda: self.now)


@contextmanager
def reading(*steps: Step) -> Iterator[Reading]:
    """Run a script."""
    server = ScriptedServer(steps).start()
    try:
        yield Reading(server)
    finally:
        server.stop()


def test_labels_are_read_by_name_and_kept() -> None:
    """One object is one request in five minutes, for its metadata alone and in its namespace; the allowlist selects its labels."""
    with reading(found(), found(labels={"app": "new"})) as one:
        wanted = {"k8s.pod.label.app": "web", "k8s.pod.label.app.kubernetes.io/part-of": "shop"}
        assert [one.labels.of(POD), one.labels.of(POD)] == [wanted, wanted]
        (request,) = one.server.requests
        assert request.path == "/api/v1/namespaces/shop/pods" and request.params["fieldSelector"] == "metadata.name=web-1"
        assert "as=PartialObjectMetadataList" in request.headers["accept"]
        one.now = KEEP
        assert one.labels.of(POD) == {"k8s.pod.label.app": "new"} and one.outcomes == ["read", "read"]


@pytest.mark.parametrize(
    "regarding",
    [
        {**POD, "kind": "Secret"},
        {**POD, "kind": "Widget"},
        {**POD, "kind": "Deployment", "apiVersion": "apps/v1"},
        {**POD, "apiVersion": "example.com/v1"},
        {**POD, "namespace": "../../x"},
        {**POD, "name": "a,metadata.namespace=b"},
        {**POD, "name": 7, "namespace": None},
        {},
    ],
)
def test_objects_that_are_not_read(regarding: dict[str, Any]) -> None:
    """Secrets, resources that are not watched, other groups, and words that are no names cost no request."""
    with reading() as one:
        assert one.labels.of(regarding) == {} and one.server.requests == [] and one.outcomes == []


def test_cluster_scoped_object_without_version() -> None:
    """The kubelet's events of a node have its name as UID and no apiVersion; kinds have the names of the conventions."""
    autoscaler = {**POD, "kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2"}
    with reading(found("node-1", "real"), found()) as one:
        assert one.labels.of(NODE)["k8s.node.label.app"] == "web"
        assert one.labels.of(autoscaler)["k8s.hpa.label.app"] == "web"


@pytest.mark.parametrize("step", [answer({"items": []}), found(uid="other"), found(labels=[]), found(labels={"app": 7}), answer([])])
def test_object_that_is_gone(step: Step) -> None:
    """No object, another one of the name, and labels of other types than the API has: the absence is kept too."""
    with reading(step) as one:
        assert [one.labels.of(POD), one.labels.of(POD)] == [{}, {}]
        assert one.outcomes == ["absent"]


def test_failures_pause() -> None:
    """After a refused request none is made for a while, so that an API server in trouble is left alone; old labels stay."""
    with reading(found(), refusal(403, "Forbidden", "no"), found(labels={"app": "new"})) as one:
        one.labels.of(POD)
        one.now = KEEP
        assert one.labels.of(POD)["k8s.pod.label.app"] == "web"
        assert one.labels.of({**POD, "name": "web-2"}) == {}
        one.now += PAUSE
        assert one.labels.of(POD) == {"k8s.pod.label.app": "new"}
        assert one.outcomes == ["read", "failed", "limited", "read"]


def test_requests_are_limited() -> None:
    """A burst of new objects costs so many requests a second; the rest goes without labels."""
    with reading(*[found(labels={}) for _ in range(int(RATE) + 1)]) as one:
        for number in range(int(RATE) + 5):
            one.labels.of({**POD, "name": f"web-{number}"})
        assert one.outcomes.count("limited") == 5
        one.now = 1 / RATE
        one.labels.of({**POD, "name": "late"})
        assert one.outcomes[-1] == "absent"
