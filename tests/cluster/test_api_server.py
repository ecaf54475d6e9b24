"""Our side of the API against a real kube-apiserver."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from telegen.api.client import Client, Timeouts
from telegen.api.collection import Collection
from telegen.api.credentials import credentials
from telegen.api.errors import Forbidden
from telegen.api.protocols import Settings
from telegen.api.reflector import Reflector
from telegen.api.representation import REPRESENTATIONS, Name
from tests.api.wire import Noted, Recorder
from tests.cluster.control_plane import ADMIN, ControlPlane, pod
from tests.process_tree import PATIENCE, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.every_version]
FAST = Settings(backoff=(0.05, 0.5), page=3)
STREAMED_LISTS = 34
"""Minor version of Kubernetes from which the gate WatchList is on by default; older servers refuse sendInitialEvents."""
SECRET = "c3dvcmRmaXNoLW9mLWEtdGVzdA=="


class Watching:
    """A reflector at work."""

    def __init__(self, client: Client, collection: Collection, settings: Settings) -> None:
        self.store, self.noted, self.stop = Recorder(), Noted(), threading.Event()
        reflector = Reflector(client, collection, self.store, self.noted, self.stop, settings)
        self.thread = threading.Thread(target=reflector.run, daemon=True)

    def wait_held(self, *names: str, timeout: float = 15) -> None:
        """Until the store holds exactly these names."""
        wait_for(f"{names}", lambda: set(self.store.held) == set(names), timeout, 0.01)


def client_of(plane: ControlPlane, folder: Path, token: str) -> Client:
    """A client with a token, by way of a kubeconfig."""
    path = plane.kubeconfig(folder / "kubeconfig", token)
    return Client(credentials(f"kubeconfig:{path}", {}), Timeouts(5, 30))


@contextmanager
def watching(
    plane: ControlPlane, folder: Path, collection: Collection, settings: Settings = FAST, token: str = ADMIN
) -> Iterator[Watching]:
    """Run a reflector, with an administrator's token by default."""
    client = client_of(plane, folder, token)
    running = Watching(client, collection, settings)
    running.thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        client.close()


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    test, _, parameters = request.node.name.partition("[")
    # No controller runs that would delete the namespace: each case needs another one.
    name = f"{test.replace('_', '-')[:50]}-{zlib.crc32(parameters.encode()):08x}"
    control_plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    for path in (f"/api/v1/namespaces/{name}/pods", f"/api/v1/namespaces/{name}/secrets"):
        control_plane.request("DELETE", f"{path}?gracePeriodSeconds=0")


def test_streamed_list_and_changes(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """A streamed list, then every create, patch and delete, over one connection. A server that does not stream lists is
    asked for a list and a watch."""
    made = control_plane.apply(pod(f"p{number}", namespace) for number in range(7))
    with watching(control_plane, tmp_path, Collection(f"/api/v1/namespaces/{namespace}/pods")) as running:
        running.wait_held(*[f"p{number}" for number in range(7)])
        control_plane.delete(made[0])
        control_plane.create(pod("new", namespace))
        patched = control_plane.patch(made[1], {"status": {"phase": "Failed"}}, "status")
        running.wait_held("new", *[f"p{number}" for number in range(1, 7)])
        wait_for("the patch", lambda: running.store.held["p1"] == patched["metadata"]["resourceVersion"], 10)
        wanted = (["watch"], [], 0) if control_plane.minor >= STREAMED_LISTS else (["watch", "list"], [], 1)
        assert (running.noted.lists, running.noted.reasons, running.noted.watches) == wanted


def test_list_in_pages(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """A paged list, then a watch from its version: the server's continue tokens and versions are taken as they are."""
    control_plane.apply(pod(f"p{number}", namespace) for number in range(7))
    # A time that has passed before the first event: the streamed list is given up at once.
    settings = Settings(backoff=(0.05, 0.5), page=3, initial=-1.0)
    with watching(control_plane, tmp_path, Collection(f"/api/v1/namespaces/{namespace}/pods"), settings) as running:
        running.wait_held(*[f"p{number}" for number in range(7)])
        control_plane.create(pod("new", namespace))
        running.wait_held("new", *[f"p{number}" for number in range(7)])
        assert running.noted.lists == ["watch", "list"]


def test_version_that_is_too_old(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """After a restart the watch cache begins anew: what was deleted meanwhile goes, by watch or by relist."""
    made = control_plane.apply(pod(f"p{number}", namespace) for number in range(3))
    with watching(control_plane, tmp_path, Collection(f"/api/v1/namespaces/{namespace}/pods")) as running:
        running.wait_held("p0", "p1", "p2")
        control_plane.stop_apiserver()
        wait_for("the loss", lambda: "unreachable" in running.noted.reasons, 10)
        control_plane.start_apiserver()
        control_plane.delete(made[1])
        running.wait_held("p0", "p2")
        control_plane.create(pod("p3", namespace))
        running.wait_held("p0", "p2", "p3")


def test_restart_of_a_server(control_plane: ControlPlane, agent_token: str, namespace: str, tmp_path: Path) -> None:
    """After a restart changes are delivered within seconds of the server's readiness: it refuses connections first, and then requests
    (403) until it has read its RBAC rules."""
    control_plane.create(pod("a", namespace))
    collection = Collection(f"/api/v1/namespaces/{namespace}/pods")
    with watching(control_plane, tmp_path, collection, Settings(), agent_token) as running:
        running.wait_held("a")
        control_plane.stop_apiserver()
        time.sleep(3)
        control_plane.start_apiserver()
        ready = time.monotonic()
        control_plane.create(pod("b", namespace))
        running.wait_held("a", "b")
        print(f"a change was delivered {time.monotonic() - ready:.1f} s after the server was ready; {running.noted.reasons}")
        assert time.monotonic() - ready <= PATIENCE * 5


def test_secrets_come_without_their_values(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """As a Table the values of secrets never come over the wire, in lists and in watches; the type does."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": namespace},
        "type": "example.com/odd",
        "data": {"password": SECRET},
    }
    control_plane.create(secret)
    collection = Collection(f"/api/v1/namespaces/{namespace}/secrets", "table")
    client = client_of(control_plane, tmp_path, ADMIN)
    shape = REPRESENTATIONS["table"]
    watched = {**collection.query, "watch": "1", "allowWatchBookmarks": "true"}
    if control_plane.minor >= STREAMED_LISTS:
        watched |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    with closing(client.stream(collection.path, watched, shape.watch_accept)) as stream:
        first = next(stream.lines())
    listed = str(client.get(collection.path, collection.query, shape.list_accept))
    client.close()
    for text in (first.decode(), listed):
        assert "example.com/odd" in text and SECRET not in text and "managedFields" in text
    with watching(control_plane, tmp_path, collection) as running:
        running.wait_held("s")
        assert running.store.objects["s"]["type"] == "example.com/odd"
        control_plane.create({**secret, "metadata": {"name": "t", "namespace": namespace}})
        running.wait_held("s", "t")
        assert running.store.objects["t"]["type"] == "example.com/odd"
        assert "data" not in running.store.objects["t"]


READS = ("metadata.uid", "metadata.name", "metadata.resourceVersion")


@pytest.mark.parametrize(
    ("resource", "representation", "reads"), [("pods", "object", READS), ("configmaps", "metadata", ()), ("secrets", "table", ())]
)
def test_deep_managed_fields(
    resource: str, representation: Name, reads: tuple[str, ...], control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """An object whose managedFields are nested 3,000 levels deep, which the server stores, is delivered like the others: in the
    state, as a change, and in a list."""
    kind = {"pods": "Pod", "configmaps": "ConfigMap", "secrets": "Secret"}[resource]
    for name in ("a", "deep", "z"):
        obj = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}
        control_plane.create(pod(name, namespace) if resource == "pods" else obj)
    path = f"/api/v1/namespaces/{namespace}/{resource}"
    nest(control_plane, f"{path}/deep")
    collection = Collection(path, representation, reads=reads)
    with watching(control_plane, tmp_path, collection) as running:
        running.wait_held("a", "deep", "z")
        nest(control_plane, f"{path}/a")
        control_plane.request("DELETE", f"{path}/z?gracePeriodSeconds=0")
        running.wait_held("a", "deep")
        assert (running.noted.left_out, running.noted.reasons) == ([], [])
    with watching(control_plane, tmp_path, collection, replace(FAST, limit=500)) as running:
        running.wait_held("a", "deep")
        assert running.noted.left_out == []
    for name in ("a", "deep"):
        control_plane.request_raw("DELETE", f"{path}/{name}?gracePeriodSeconds=0", b"")


def nest(plane: ControlPlane, path: str) -> None:
    """Give an object managedFields that are 3,000 levels deep."""
    obj = plane.request("GET", path)
    fields = "{}"
    for _ in range(3000):
        fields = f'{{"f:a":{fields}}}'
    entry = {"manager": "deep", "operation": "Update", "apiVersion": "v1", "time": "2026-01-05T08:00:00Z", "fieldsType": "FieldsV1"}
    obj["metadata"]["managedFields"] = [{**entry, "fieldsV1": {"f:metadata": "HERE"}}]
    plane.request_raw("PUT", path, json.dumps(obj).replace('"HERE"', fields).encode())


def test_metadata_alone(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """PartialObjectMetadata of pods: labels and owners, no spec."""
    control_plane.create(pod("p", namespace))
    with watching(control_plane, tmp_path, Collection(f"/api/v1/namespaces/{namespace}/pods", "metadata")) as running:
        running.wait_held("p")
        assert running.store.objects["p"]["metadata"]["labels"] == {"app": "shop"}
        assert "spec" not in running.store.objects["p"]


def test_missing_right(control_plane: ControlPlane, agent_token: str, tmp_path: Path) -> None:
    """The agent's account may not read service accounts: the refusal names who may not do what."""
    client = client_of(control_plane, tmp_path, agent_token)
    with pytest.raises(Forbidden, match='"system:serviceaccount:telegen:telegen" cannot list resource "serviceaccounts"'):
        client.get("/api/v1/serviceaccounts", {}, "application/json")
    client.close()


def test_shards_of_a_real_server(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """Two shards hold all pods, each once, whether or not the server honours shardSelector."""
    names = [f"p{number}" for number in range(12)]
    control_plane.apply(pod(name, namespace) for name in names)
    held: list[str] = []
    for number in range(2):
        collection = Collection(f"/api/v1/namespaces/{namespace}/pods", part=(number, 2))
        with watching(control_plane, tmp_path, collection) as running:
            wait_for("the state", lambda: running.store.replaced > 0, 15)
            held += running.store.held
    assert sorted(held) == sorted(names)
