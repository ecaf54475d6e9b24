"""The node's pods as the API server tells of them: what is kept, what is found by which id, and workloads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest

from telegen.api.client import Client, Timeouts
from telegen.api.collection import Collection
from telegen.api.credentials import credentials
from telegen.api.decoding import event_decoder
from telegen.api.reflector import Reflector
from telegen.cadvisor.identity.pods import READS, NamespaceIndex, PodIndex, read_pod
from telegen.cadvisor.identity.workloads import workload
from tests.api.wire import FAST, Noted, ScriptedServer, Step, bookmark, event, stream
from tests.kubestate.schema_objects import Variation, random_object
from tests.process_tree import wait_for

UID = "3ac62ab9-3627-488b-a3ab-0898998b88ca"
NODE_PODS = Collection("/api/v1/pods", params={"fieldSelector": "spec.nodeName=node-1"})


def status(name: str, id: str, image: str = "web:1", restarts: int = 0, before: str = "") -> dict[str, Any]:
    """The status of a container."""
    last = {"terminated": {"containerID": before}} if before else {}
    return {"name": name, "containerID": id, "image": image, "restartCount": restarts, "lastState": last}


def pod_object(name: str = "web-1", uid: str = UID, version: int = 1, **parts: Any) -> dict[str, Any]:
    """A pod with one container, web; `metadata`, `spec` and `status` are added to."""
    metadata = {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": str(version)}
    return {
        "metadata": {**metadata, **parts.get("metadata", {})},
        "spec": {"containers": [{"name": "web"}], **parts.get("spec", {})},
        "status": parts.get("status", {"containerStatuses": [status("web", "containerd://c1")]}),
    }


@contextmanager
def followed(*steps: Step) -> Iterator[tuple[PodIndex, ScriptedServer]]:
    """An index that a reflector fills from a script."""
    server, index, stop = ScriptedServer(steps).start(), PodIndex(), threading.Event()
    client = Client(credentials(server.url, {}), Timeouts(20.0, 20.0))
    reflector = Reflector(client, NODE_PODS, index, Noted(), stop, FAST, draw=lambda: 0.5)
    thread = threading.Thread(target=reflector.run, daemon=True)
    thread.start()
    try:
        yield index, server
    finally:
        stop.set()
        server.stop()
        thread.join(30)


def test_follows_the_api() -> None:
    """Only the node's pods are listed; the index follows them by uid and container id."""
    changed = pod_object(status={"containerStatuses": [status("web", "containerd://c2", before="containerd://c1", restarts=1)]})
    events = [event("ADDED", pod_object()), bookmark(10, end=True), event("MODIFIED", changed)]
    with followed(stream(*events)) as (index, server):
        wait_for("c2", lambda: index.of_container("c2") is not None, 5)
        pod = index.of_uid(UID)
        assert pod and index.of_container("c1") is pod is index.of_container("c2")
        assert (pod.containers["c2"].run, pod.containers["c1"].run) == (1, 0)
        assert server.requests[0].params["fieldSelector"] == "spec.nodeName=node-1"
        assert index.synced.is_set()


def test_runs_that_are_over_go() -> None:
    """An id that the status tells no more of is found no more; those of other pods stay."""
    index = PodIndex()
    index.replace([("ADDED", pod_object()), ("ADDED", pod_object("db", "uid-2", status={}))])
    index.upsert(pod_object(status={"containerStatuses": [status("web", "containerd://c9", restarts=5)]}))
    assert index.of_container("c1") is None and index.of_container("c9") is index.of_uid(UID)
    index.delete(pod_object())
    assert index.of_container("c9") is None and index.of_uid(UID) is None and len(index) == 1
    index.delete(pod_object())


def test_relist_takes_the_place_of_all() -> None:
    """A new whole state forgets what is not in it, also what was deleted while it came; one that breaks changes nothing."""
    index = PodIndex()
    index.replace([("ADDED", pod_object()), ("ADDED", pod_object("db", "uid-2", status={})), ("DELETED", pod_object())])
    assert index.of_uid(UID) is None and index.of_container("c1") is None and index.of_uid("uid-2")

    def broken() -> Iterator[tuple[str, dict[str, Any]]]:
        yield "ADDED", pod_object()
        raise OSError("gone")

    with pytest.raises(OSError):
        index.replace(broken())
    assert index.of_uid(UID) is None and len(index) == 1


def test_what_is_of_no_interest_changes_nothing() -> None:
    """An update of fields that are not kept leaves the revision unchanged, so labels are not resolved again."""
    index = PodIndex()
    index.upsert(pod_object())
    before = index.revision
    index.upsert(pod_object(version=2, metadata={"labels": {"app": "web"}}))
    assert index.revision == before
    labelled = PodIndex(labels=lambda key: key == "app")
    labelled.upsert(pod_object())
    labelled.upsert(pod_object(version=2, metadata={"labels": {"app": "web", "other": "x"}}))
    pod = labelled.of_uid(UID)
    assert pod and pod.labels == {"app": "web"} and labelled.revision == 2 and labelled.label_keys() == {"app"}


def test_static_pod_by_its_hash() -> None:
    """The mirror of a static pod is found by the hash that its cgroup is called by."""
    notes = {"kubernetes.io/config.hash": "ab" * 16, "kubernetes.io/config.mirror": "ab" * 16}
    index = PodIndex()
    index.upsert(pod_object(metadata={"annotations": notes}))
    pod = index.of_uid("ab" * 16)
    assert pod and pod.name == "web-1" and index.of_uid(UID) is None
    index.delete(pod_object(metadata={"annotations": notes}))
    assert index.of_uid("ab" * 16) is None


def test_all_kinds_of_containers() -> None:
    """Init and ephemeral containers count as well; the pod is complete when each has an id."""
    spec = {"initContainers": [{"name": "init"}], "ephemeralContainers": [{"name": "debug"}], "hostNetwork": True}
    statuses = {
        "containerStatuses": [status("web", "cri-o://c1")],
        "initContainerStatuses": [status("init", "cri-o://c2", "init:1")],
    }
    pod = read_pod(pod_object(spec=spec, status=statuses), lambda key: False, lambda key: False)
    assert {id: one.name for id, one in pod.containers.items()} == {"c1": "web", "c2": "init"}
    assert (pod.is_complete, pod.runtime, pod.host_network) == (False, "cri-o", True)
    statuses["ephemeralContainerStatuses"] = [status("debug", "cri-o://c3")]
    assert read_pod(pod_object(spec=spec, status=statuses), lambda key: False, lambda key: False).is_complete


@pytest.mark.parametrize(
    "broken",
    [
        {"metadata": {"labels": None, "annotations": [], "ownerReferences": 7, "namespace": 3}},
        {"spec": {"containers": None, "initContainers": [None, {}]}},
        {"spec": {"hostNetwork": "yes"}},
        {"status": None},
        {"status": {"containerStatuses": {}}},
        {"status": {"containerStatuses": [None, 7, {"name": 4, "containerID": "no scheme", "lastState": []}]}},
        {"status": {"containerStatuses": [{"containerID": "docker://", "restartCount": "many"}]}},
        {"metadata": {"ownerReferences": [None, {"controller": True, "name": None, "kind": 4}]}},
    ],
)
def test_malformed_pods(broken: dict[str, Any]) -> None:
    """A field of an unexpected type counts as missing and raises no exception."""
    index = PodIndex(lambda key: True, lambda key: True)
    index.upsert(pod_object(**broken))
    pod = index.of_uid(UID)
    assert pod and pod.name == "web-1"


def test_labels_of_namespaces() -> None:
    """Namespaces come, change and go; only wanted labels are kept."""
    index = NamespaceIndex(lambda key: key == "team")

    def namespace(name: str, **labels: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "uid": name, "labels": labels}}

    index.replace([("ADDED", namespace("shop", team="a", other="x")), ("ADDED", namespace("old")), ("DELETED", namespace("old"))])
    assert (index.labels("shop"), index.labels("nowhere"), index.keys(), len(index)) == ({"team": "a"}, {}, {"team"}, 1)
    index.upsert(namespace("shop", team="a", other="y"))
    assert index.revision == 1
    index.upsert(namespace("shop", team="b"))
    index.delete(namespace("nowhere"))
    assert index.labels("shop") == {"team": "b"} and index.revision == 2
    index.delete(namespace("shop"))
    assert index.labels("shop") == {} and index.revision == 3


MADE = "2026-11-25T03:00:00Z"
MINUTES = 29926260
"""MADE, in minutes since 1970."""


@pytest.mark.parametrize(
    ("owner", "wanted"),
    [
        (("ReplicaSet", "web-5d4f"), ("web", "Deployment")),
        (("ReplicaSet", "web-7777"), ("web-7777", "ReplicaSet")),
        (("ReplicaSet", "web"), ("web", "ReplicaSet")),
        (("ReplicaSet", "-5d4f"), ("-5d4f", "ReplicaSet")),
        (("StatefulSet", "db-5d4f"), ("db-5d4f", "StatefulSet")),
        (("DaemonSet", "agent"), ("agent", "DaemonSet")),
        (("Node", "node-1"), ("node-1", "Node")),
        (("Job", f"backup-{MINUTES}"), ("backup", "CronJob")),
        (("Job", f"backup-{MINUTES - 3 * 24 * 60}"), ("backup", "CronJob")),
        (("Job", f"backup-{MINUTES - 8 * 24 * 60}"), (f"backup-{MINUTES - 8 * 24 * 60}", "Job")),
        (("Job", f"backup-{MINUTES + 5}"), (f"backup-{MINUTES + 5}", "Job")),
        (("Job", "backup-5"), ("backup-5", "Job")),
        (("Job", "backup"), ("backup", "Job")),
        (("Job", "backup-" + "9" * 400), ("backup-" + "9" * 400, "Job")),
        (None, ("web-1", "Pod")),
    ],
)
def test_workloads(owner: tuple[str, str] | None, wanted: tuple[str, str]) -> None:
    """The Deployment behind a ReplicaSet and the CronJob behind a Job when that is sure, else the owner itself."""
    owners = [{"kind": "Other", "name": "x"}]
    if owner:
        owners.append({"kind": owner[0], "name": owner[1], "controller": True})  # type: ignore[dict-item]
    metadata = {"labels": {"pod-template-hash": "5d4f"}, "creationTimestamp": MADE, "ownerReferences": owners}
    assert workload(pod_object(metadata=metadata)) == wanted


def test_reads_are_sufficient() -> None:
    """Random pods give the same entry of the index complete and decoded by `READS`; every path of it exists in some pod."""
    decode, found = event_decoder(READS), set()
    for seed in range(300):
        pod = random_object("pods", "v1", "Pod", Variation(seed, 0.95, seed % 3 / 2, 1 + seed % 4))
        pod["metadata"] = {**pod["metadata"], "uid": f"uid-{seed}", "labels": {"app": "shop"}, "annotations": {"note": "x"}}
        kind, decoded = decode(orjson.dumps({"type": "ADDED", "object": pod}))
        complete = read_pod(pod, lambda key: True, lambda key: True)
        assert read_pod(decoded, lambda key: True, lambda key: True) == complete
        found |= {path for path in READS if exists(pod, path.split("."))}
    assert found == set(READS)


def exists(value: Any, names: list[str]) -> bool:
    """Return true if there is a value at a path."""
    if not names or value is None:
        return value is not None
    inner = value.get(names[0].removesuffix("[]")) if isinstance(value, dict) else None
    return any(exists(item, names[1:]) for item in inner or ()) if names[0].endswith("[]") else exists(inner, names[1:])
