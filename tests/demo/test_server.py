"""The simulated API server behaves like a real one in the features that tests and demos use."""

from __future__ import annotations

import http.client
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import make_state
from telegen.demo.server import SimulatedServer

PODS = "/api/v1/pods"
META_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.fixture
def server() -> Iterator[SimulatedServer]:
    """A server with 25 pods and 4 objects of each other resource."""
    server = SimulatedServer(make_state(SyntheticCluster(25, 4))).start()
    server.levers.bookmark_interval = 0.2
    yield server
    server.stop()


@contextmanager
def asked(
    server: SimulatedServer, path: str, accept: str = "", encoding: str = "identity", **query: str
) -> Iterator[http.client.HTTPResponse]:
    """Return the response to a GET."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", f"{path}?{urlencode(query)}", headers={"Accept": accept, "Accept-Encoding": encoding})
        yield connection.getresponse()
    finally:
        connection.close()


def get(server: SimulatedServer, path: str, accept: str = "", **query: str) -> tuple[int, Any]:
    """Return the status and the JSON of a response."""
    with asked(server, path, accept, **query) as response:
        return response.status, json.loads(response.read())


def events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the events of a watch."""
    while line := response.readline():
        yield json.loads(line)


def names(objects: list[dict[str, Any]]) -> list[str]:
    """Return the names of objects."""
    return [obj["metadata"]["name"] for obj in objects]


def test_pages_of_a_list(server: SimulatedServer) -> None:
    """Pages of a list have each object once, and one resourceVersion."""
    _, whole = get(server, PODS)
    found, token, versions = [], "", set()
    while True:
        _, page = get(server, PODS, limit="10", **({"continue": token} if token else {}))
        found += names(page["items"])
        versions.add(page["metadata"]["resourceVersion"])
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert found == names(whole["items"]) and len(set(found)) == 25
    assert versions == {whole["metadata"]["resourceVersion"]}


def test_watch_goes_on_where_the_list_was(server: SimulatedServer) -> None:
    """A watch from the version of a list sends every later change once, also after a reconnection."""
    _, listed = get(server, PODS)
    version, seen = listed["metadata"]["resourceVersion"], []
    for turn in range(3):
        for number in range(2):
            server.levers.pull("mark", {"value": str(10 * turn + number)})
        with asked(server, PODS, watch="1", resourceVersion=version) as response:
            stream = events(response)
            for event in (next(stream), next(stream)):
                seen.append(event["object"]["status"]["containerStatuses"][0]["restartCount"])
                version = event["object"]["metadata"]["resourceVersion"]
    assert seen == [0, 1, 10, 11, 20, 21]


def test_streamed_list_ends_with_its_bookmark(server: SimulatedServer) -> None:
    """A streamed list sends all objects as ADDED, then the annotated bookmark, then changes."""
    with asked(server, PODS, watch="1", sendInitialEvents="true", allowWatchBookmarks="true") as response:
        stream = events(response)
        first = [next(stream) for _ in range(26)]
        assert [event["type"] for event in first] == ["ADDED"] * 25 + ["BOOKMARK"]
        assert first[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        server.levers.pull("mark", {"value": "7"})
        assert next(event for event in stream if event["type"] != "BOOKMARK")["type"] == "MODIFIED"


def test_two_watchers_see_the_same(server: SimulatedServer) -> None:
    """All watches send all changes in the same order."""
    _, listed = get(server, PODS)
    version = listed["metadata"]["resourceVersion"]
    with (
        asked(server, PODS, watch="1", resourceVersion=version) as one,
        asked(server, PODS, watch="1", resourceVersion=version) as other,
    ):
        for number in range(5):
            server.levers.pull("mark", {"value": str(number)})
        streams = [events(one), events(other)]
        assert [next(streams[0]) for _ in range(5)] == [next(streams[1]) for _ in range(5)]


def test_bounded_history(server: SimulatedServer) -> None:
    """The server keeps the last 10,000 changes of a collection. A watch from an earlier version gets 410, a later one continues."""
    state = server.state
    (namespace, *_) = state.collections["namespaces"].objects.values()
    versions = [state.put("namespaces", namespace.load()).version for _ in range(12_000)]
    assert len(state.collections["namespaces"].history) == 10_000
    status, answer = get(server, "/api/v1/namespaces", watch="1", resourceVersion=str(versions[1998]))
    assert (status, answer["reason"]) == (410, "Expired")
    with asked(server, "/api/v1/namespaces", watch="1", resourceVersion=str(versions[1999])) as response:
        found = events(response)
        assert [int(next(found)["object"]["metadata"]["resourceVersion"]) for _ in range(10_000)] == versions[2000:]


def test_compacted_history(server: SimulatedServer) -> None:
    """A watch from a version before a compaction gets 410."""
    _, listed = get(server, PODS)
    server.levers.pull("mark", {"value": "1"})
    server.levers.pull("compact", {})
    status, answer = get(server, PODS, watch="1", resourceVersion=listed["metadata"]["resourceVersion"])
    assert (status, answer["reason"]) == (410, "Expired")


def test_bookmarks_come_while_nothing_changes(server: SimulatedServer) -> None:
    """A quiet watch sends bookmarks."""
    with asked(server, PODS, watch="1", resourceVersion=str(server.state.version), allowWatchBookmarks="true") as response:
        assert next(events(response))["object"]["metadata"]["resourceVersion"] == str(server.state.version)


def test_selectors(server: SimulatedServer) -> None:
    """Field selectors and namespaces filter objects; an unsupported field is refused."""
    _, whole = get(server, PODS)
    node = whole["items"][0]["spec"]["nodeName"]
    _, chosen = get(server, PODS, fieldSelector=f"spec.nodeName={node}")
    assert names(chosen["items"]) == [p["metadata"]["name"] for p in whole["items"] if p["spec"].get("nodeName") == node]
    _, inside = get(server, "/api/v1/namespaces/shop-0/pods")
    _, outside = get(server, PODS, fieldSelector="metadata.namespace!=shop-0")
    assert len(inside["items"]) + len(outside["items"]) == 25
    assert get(server, PODS, fieldSelector="spec.gopher=1")[0] == 400


def test_representations(server: SimulatedServer) -> None:
    """PartialObjectMetadata and Table have only the requested data."""
    _, metadata = get(server, PODS, META_LIST, limit="2")
    assert all(set(item) == {"kind", "apiVersion", "metadata"} for item in metadata["items"])
    _, table = get(server, PODS, TABLE, limit="2")
    assert [column["name"] for column in table["columnDefinitions"]][:2] == ["Name", "Type"]
    assert set(table["rows"][0]["object"]) == {"kind", "apiVersion", "metadata"}


def test_levers_refuse(server: SimulatedServer) -> None:
    """Levers refuse the requests that they name with a Status; others are answered."""
    server.levers.pull("forbid", {"resource": "pods"})
    assert get(server, PODS)[1]["reason"] == "Forbidden"
    assert get(server, "/api/v1/nodes")[0] == 200
    server.levers.pull("allow", {"resource": "pods"})
    server.levers.pull("fail", {"status": "503", "count": "1"})
    assert [get(server, PODS)[0] for _ in range(2)] == [503, 200]
    server.levers.pull("streaming", {"on": "false"})
    assert get(server, PODS, watch="1", sendInitialEvents="true")[0] == 422
    assert get(server, "/api/v1/gophers")[0] == 404


def test_levers_of_older_servers(server: SimulatedServer) -> None:
    """Groups that are not served, as text; Tables that are not streamed, though listed and watched; bookmarks that never come."""
    server.levers.pull("remove", {"group": "apps"})
    with asked(server, "/apis/apps/v1/deployments") as response:
        assert (response.status, response.read()) == (404, b"404 page not found\n")
    assert get(server, PODS)[0] == 200
    server.levers.pull("restore", {"group": "apps"})
    assert get(server, "/apis/apps/v1/deployments")[0] == 200
    server.levers.pull("tables", {"on": "false"})
    streamed = {"watch": "1", "sendInitialEvents": "true"}
    assert get(server, PODS, TABLE, **streamed)[0] == 406
    assert get(server, PODS, TABLE)[0] == 200
    for accept, query in ((TABLE, {"watch": "1", "resourceVersion": str(server.state.version)}), ("", streamed)):
        with asked(server, PODS, accept, **query, timeoutSeconds="0.1") as response:
            assert response.status == 200
    server.levers.pull("bookmarks", {"on": "false"})
    with asked(server, PODS, allowWatchBookmarks="true", timeoutSeconds="0.5", **streamed) as response:
        assert [event["type"] for event in events(response)] == ["ADDED"] * 25 + ["BOOKMARK"]


def test_lever_of_a_server_that_starts(server: SimulatedServer) -> None:
    """Alive, not ready, and everything is forbidden."""
    server.levers.pull("starting", {"on": "true"})
    assert [get(server, path)[0] for path in (PODS, "/apis/apps/v1/deployments", "/version")] == [403, 403, 200]
    with asked(server, "/readyz") as response:
        assert response.status == 500
    server.levers.pull("starting", {"on": "false"})
    assert get(server, PODS)[0] == 200


def test_lever_of_gzip_members(server: SimulatedServer) -> None:
    """Each flush of a watch is a gzip member: the objects, the bookmark, each change. Lists and clients without gzip get none."""
    server.levers.pull("gzip_members", {"on": "true"})
    query = {"watch": "1", "sendInitialEvents": "true", "timeoutSeconds": "0.5"}
    with asked(server, PODS, encoding="gzip", **query) as response:
        server.levers.pull("mark", {"value": "1"})
        assert response.getheader("Content-Encoding") == "gzip"
        sent, parts = response.read(), []
        while sent:
            member = zlib.decompressobj(wbits=31)
            parts.append([json.loads(line)["type"] for line in member.decompress(sent).splitlines()])
            assert member.eof
            sent = member.unused_data
    assert parts[:2] == [["ADDED"] * 25, ["BOOKMARK"]]
    for path, encoding, more in ((PODS, "identity", query), (PODS, "gzip", {})):
        with asked(server, path, encoding=encoding, **more) as response:
            assert response.getheader("Content-Encoding") is None


def test_cluster_is_the_same_for_the_same_seed() -> None:
    """Objects depend on the seed only, and UIDs are unique."""
    first, again = (list(SyntheticCluster(30, 3, seed=5).objects()) for _ in range(2))
    assert first == again
    assert first != list(SyntheticCluster(30, 3, seed=6).objects())
    uids = [obj["metadata"]["uid"] for _, obj in first]
    assert len(set(uids)) == len(uids)


def test_pods_are_of_realistic_size() -> None:
    """A pod has 8 to 12 kB of JSON, two containers, an init container, five conditions and managedFields."""
    for number in range(20):
        pod = SyntheticCluster(20).pod(number)
        assert 8_000 <= len(json.dumps(pod, separators=(",", ":"))) <= 12_300
        assert len(pod["spec"]["containers"]) == 2 and len(pod["spec"]["initContainers"]) == 1
        assert pod["metadata"]["managedFields"]
