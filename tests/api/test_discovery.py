"""Discovery of the kinds that an API server serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from telegen.api.client import Client, Timeouts
from telegen.api.credentials import Cluster
from telegen.api.discovery import Served, ServedResource, discover
from telegen.api.errors import Forbidden, ProtocolError
from tests.api.wire import ScriptedServer, Step, answer, refusal

ALL = ["get", "list", "watch", "create"]


@contextmanager
def serving(*steps: Step) -> Iterator[tuple[Client, ScriptedServer]]:
    server = ScriptedServer(steps).start()
    try:
        yield Client(lambda again: Cluster(server.url), Timeouts(2, 2)), server
    finally:
        server.stop()


def resource(plural: str, kind: str, *verbs: str, scope: str = "Namespaced") -> dict[str, Any]:
    return {"resource": plural, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": scope, "verbs": list(verbs) or ALL}


def version(name: str, *resources: Any, freshness: str = "Current") -> dict[str, Any]:
    return {"version": name, "freshness": freshness, "resources": list(resources)}


def group(name: str, *versions: Any) -> dict[str, Any]:
    return {"metadata": {"name": name} if name else {}, "versions": list(versions)}


NO_LIST = resource("reviews", "Review", "create")
FOO = {"name": "foos", "kind": "Foo", "namespaced": True, "verbs": ALL}


def test_aggregated() -> None:
    """One document has every group; kinds that cannot be watched, and other groups, are left out; a server that does not answer is
    stale."""
    document = {
        "kind": "APIGroupDiscoveryList",
        "items": [
            group("a.example", version("v1", resource("foos", "Foo"), resource("bars", "Bar", scope="Cluster"), NO_LIST)),
            group("b.example", version("v1", freshness="Stale"), version("v2", resource("foos", "Foo"))),
            group("c.example", version("v1", resource("foos", "Foo"))),
        ],
    }
    with serving(answer(document)) as (client, server):
        found = discover(client, {"a.example", "b.example"})
    assert found == Served(
        frozenset(
            {
                ServedResource("a.example", "v1", "foos", "Foo", True),
                ServedResource("a.example", "v1", "bars", "Bar", False),
                ServedResource("b.example", "v2", "foos", "Foo", True),
            }
        ),
        frozenset({("b.example", "v1")}),
    )
    (request,) = server.requests
    assert request.path == "/apis" and "as=APIGroupDiscoveryList" in request.headers["accept"]


def test_singular_names() -> None:
    """Both forms of discovery give the singular; a server that does not name it gives none."""
    aggregated = {**resource("kafkatopics", "KafkaTopic"), "singularResource": "topic"}
    document = {"kind": "APIGroupDiscoveryList", "items": [group("a.example", version("v1", aggregated, resource("foos", "Foo")))]}
    with serving(answer(document)) as (client, _):
        found = {one.plural: one.singular for one in discover(client, {"a.example"}).resources}
    assert found == {"kafkatopics": "topic", "foos": ""}
    groups = {"kind": "APIGroupList", "groups": [{"name": "a.example", "versions": [{"groupVersion": "a.example/v1", "version": "v1"}]}]}
    listed = {"resources": [{**FOO, "singularName": "foo"}, {**FOO, "name": "bars", "kind": "Bar"}]}
    with serving(answer(groups), answer(listed)) as (client, _):
        assert {one.plural: one.singular for one in discover(client, {"a.example"}).resources} == {"foos": "foo", "bars": ""}


def test_core_group() -> None:
    """The core group has a document of its own."""
    document = {"kind": "APIGroupDiscoveryList", "items": [group("", version("v1", resource("pods", "Pod")))]}
    with serving(answer(document)) as (client, server):
        assert discover(client, {""}).resources == {ServedResource("", "v1", "pods", "Pod", True)}
    assert [request.path for request in server.requests] == ["/api"]


def test_server_without_aggregation() -> None:
    """An older server is asked for each version of the wanted groups; one whose server fails is stale, one that is gone is empty."""
    groups = {
        "kind": "APIGroupList",
        "groups": [
            {"name": name, "versions": [{"groupVersion": f"{name}/{one}", "version": one} for one in ("v1", "v2")]}
            for name in ("a.example", "b.example", "c.example")
        ],
    }
    listed = {"resources": [FOO, {**FOO, "name": "foos/status"}]}
    steps = (answer(groups), answer(listed), refusal(503, "ServiceUnavailable", "x"), refusal(404, "NotFound", "x"), answer(listed))
    with serving(*steps) as (client, server):
        found = discover(client, {"a.example", "b.example"})
    assert found.resources == {ServedResource(name, one, "foos", "Foo", True) for name, one in (("a.example", "v1"), ("b.example", "v2"))}
    assert found.stale == {("a.example", "v2")}
    paths = [f"/apis/{name}.example/{one}" for name in "ab" for one in ("v1", "v2")]
    assert [request.path for request in server.requests] == ["/apis", *paths]


def test_failures() -> None:
    """A refusal and a document of another form are errors, not an empty cluster."""
    with serving(refusal(403, "Forbidden", "no")) as (client, _), pytest.raises(Forbidden):
        discover(client, {"a"})
    with serving(answer({"kind": "Status"})) as (client, _), pytest.raises(ProtocolError, match="/apis: the answer is no discovery"):
        discover(client, {"a"})
