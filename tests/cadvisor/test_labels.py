"""The labels of each cgroup out of both sources: kubelet's conventions, what is learnt when, optional labels, races."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.identity.bundles import Bundles
from telegen.cadvisor.identity.label_resolver import LabelResolver, make_label_resolver
from telegen.cadvisor.identity.labels import BASE
from telegen.cadvisor.node import Node, Roots
from telegen.config import ConfigError
from telegen.config.load import load
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages, v2_tree, write
from tests.cadvisor.test_bundles import CASES, Clock, put
from tests.cadvisor.test_pods import UID, pod_object, status

POD = Cgroup(f"/kubepods/burstable/pod{UID}", "pod", UID)
ID, OTHER, THIRD = "aa" * 32, "bb" * 32, "cc" * 32


def container(id: str = ID, pod: Cgroup = POD) -> Cgroup:
    """The cgroup of a container."""
    return Cgroup(f"{pod.id}/{id}", "container", pod.pod_uid, id)


def named(names: LabelResolver, *cgroups: Cgroup) -> list[dict[str, str]]:
    """The labels of some cgroups after a pass over them, without the id and those that are empty."""
    names.begin_pass(cgroups)
    rows = [dict(zip(names.names, names.labels(cgroup))) for cgroup in cgroups]
    assert all(len(names.labels(cgroup)) == len(names.names) for cgroup in cgroups)
    assert [row["id"] for row in rows] == [cgroup.id for cgroup in cgroups]
    return [{key: value for key, value in row.items() if value and key != "id"} for row in rows]


def cri(root: Path, id: str, kind: str = "container", name: str = "web", pod: str = "web-1", uid: str = UID) -> None:
    """A bundle of containerd's CRI plugin below a folder that stands for the host's /."""
    notes = {"container-type": kind, "container-name": name, "sandbox-id": "x", "sandbox-name": pod, "image-name": "web:1"}
    notes |= {"sandbox-namespace": "shop", "sandbox-uid": uid}
    spec = {"annotations": {f"io.kubernetes.cri.{key}": value for key, value in notes.items() if value}}
    put(root, f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json", json.dumps(spec))


@pytest.mark.parametrize(
    ("case", "sandbox"),
    [
        ("containerd", {"namespace": "shop", "pod": "web-1", "image": "registry.example/pause:3.10", "name": "ID"}),
        ("k3s", {"namespace": "shop", "pod": "web-1", "image": "registry.example/pause:3.10", "name": "ID"}),
        ("cri-o", {"namespace": "shop", "pod": "web-1", "container": "POD", "image": "registry.example/pause:3.10",
                   "name": f"k8s_POD_web-1_shop_{UID}_0"}),
        ("docker", {"namespace": "shop", "pod": "web-1", "container": "POD", "image": "registry.example/pause:3.10",
                    "name": f"k8s_POD_web-1_shop_{UID}_0"}),
    ],
)
def test_sandbox_and_pod_of_every_runtime(case: str, sandbox: Mapping[str, str]) -> None:
    """Without any API: the sandbox is known, and as the kubelet shows it; the pod's own cgroup has the pod's names and
    no container, image or name, at the first pass already."""
    folder = next(path for path in CASES if path.name == case)
    bundles = json.loads((folder / "wanted.json").read_text())
    id = next(id for id, bundle in bundles.items() if bundle["is_sandbox"])
    names = make_label_resolver(Cadvisor(root=str(folder / "host")))
    assert named(names, POD, container(id)) == [
        {"namespace": "shop", "pod": "web-1"},
        {key: value.replace("ID", id) for key, value in sandbox.items()},
    ]
    assert names.is_sandbox(container(id)) and not names.is_sandbox(POD)
    assert not names.host_network(POD)


@pytest.mark.parametrize(
    ("scheme", "web", "sandbox"),
    [
        ("containerd", {"name": ID}, {"name": OTHER}),
        ("cri-o", {"name": f"k8s_web_web-1_shop_{UID}_3"}, {"name": f"k8s_POD_web-1_shop_{UID}_0", "container": "POD"}),
        ("docker", {"name": f"k8s_web_web-1_shop_{UID}_3"}, {"name": f"k8s_POD_web-1_shop_{UID}_0", "container": "POD"}),
    ],
)
def test_names_by_the_api_alone(scheme: str, web: dict[str, str], sandbox: dict[str, str], tmp_path: Path) -> None:
    """Without the host's files: what runs in a pod besides its containers is its sandbox."""
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    names.pods.upsert(pod_object(status={"containerStatuses": [status("web", f"{scheme}://{ID}", restarts=3)]}))
    shop = {"namespace": "shop", "pod": "web-1"}
    assert named(names, POD, container(), container(OTHER)) == [
        shop,
        {**shop, **web, "container": "web", "image": "web:1"},
        {**shop, **sandbox},
    ]
    assert names.is_sandbox(container(OTHER)) and not names.is_sandbox(container())


def test_what_is_in_no_pod(tmp_path: Path) -> None:
    """The root, slices and unknown containers have an id, and the latter their own as name."""
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    root, slice, alone = Cgroup("/", "root"), Cgroup("/kubepods", "slice"), Cgroup(f"/docker/{ID}", "container", "", ID)
    assert named(names, root, slice, alone) == [{}, {}, {"name": ID}]
    assert names.unknown == 1


def test_container_before_its_pod(tmp_path: Path) -> None:
    """A container whose pod the API tells of later: named at the next pass, in place, and no earlier than that."""
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    assert named(names, POD, container()) == [{}, {"name": ID}]
    same = names.labels(container())
    named(names, POD, container())
    assert names.labels(container()) is same and names.unknown == 1
    names.pods.upsert(pod_object(status={}))
    shop = {"namespace": "shop", "pod": "web-1"}
    assert named(names, POD, container()) == [shop, {**shop, "name": ID}]
    assert not names.is_sandbox(container())
    names.pods.upsert(pod_object(status={"containerStatuses": [status("web", f"containerd://{ID}")]}))
    assert named(names, container()) == [{**shop, "container": "web", "image": "web:1", "name": ID}]


def test_pod_before_its_container(tmp_path: Path) -> None:
    """A pod without statuses, then with one: its container has all names at its first pass."""
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    names.pods.upsert(pod_object(status={}))
    assert named(names, POD) == [{"namespace": "shop", "pod": "web-1"}]
    names.pods.upsert(pod_object(status={"containerStatuses": [status("web", f"containerd://{ID}")]}))
    assert named(names, POD, container())[1]["container"] == "web"


def test_new_run_is_no_sandbox_for_long(tmp_path: Path) -> None:
    """A container that starts again is, without the host's files, taken for the sandbox until its status has come."""
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    names.pods.upsert(pod_object(status={"containerStatuses": [status("web", f"docker://{ID}")]}))
    assert named(names, container(OTHER))[0]["container"] == "POD"
    names.pods.upsert(
        pod_object(status={"containerStatuses": [status("web", f"docker://{OTHER}", restarts=1, before=f"docker://{ID}")]})
    )
    assert named(names, container(OTHER))[0]["container"] == "web"
    assert not names.is_sandbox(container(OTHER))


def test_names_stay_as_long_as_the_cgroup(tmp_path: Path) -> None:
    """A pod that the API has forgotten, while it still ends: its cgroups keep their names; the next of the same path
    starts from nothing."""
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    names.pods.upsert(pod_object(status={"containerStatuses": [status("web", f"containerd://{ID}")]}))
    before = named(names, POD, container())
    names.pods.delete(pod_object())
    assert named(names, POD, container()) == before
    named(names)
    assert named(names, POD, container()) == [{}, {"name": ID}]


def test_same_pod_name_another_pod(tmp_path: Path) -> None:
    """A StatefulSet's next pod has the name of the last one, and another uid: neither gets the other's labels."""
    names = make_label_resolver(Cadvisor(root=str(tmp_path), pod_labels=("rev",)))
    new = Cgroup("/kubepods/pod07b99587-e320-4dd9-a559-b458099818fd", "pod", "07b99587-e320-4dd9-a559-b458099818fd")
    for uid, id, rev in ((UID, ID, "1"), (new.pod_uid, OTHER, "2")):
        names.pods.upsert(
            pod_object(
                uid=uid, metadata={"labels": {"rev": rev}}, status={"containerStatuses": [status("web", f"containerd://{id}")]}
            )
        )
    rows = named(names, POD, container(), new, container(OTHER, new))
    assert [row["label_rev"] for row in rows] == ["1", "1", "2", "2"]


def test_id_that_is_used_again(tmp_path: Path) -> None:
    """A container of the same id in another pod, as a restored one may be: it has the other pod's names."""
    cri(tmp_path, ID)
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    assert named(names, container())[0]["pod"] == "web-1"
    named(names)
    cri(tmp_path, ID, pod="db-1")
    assert named(names, container())[0]["pod"] == "db-1"


def test_static_pod(tmp_path: Path) -> None:
    """The kubelet calls a static pod's cgroup by a hash, the API its mirror by a uid: they are one pod."""
    hash = "1f" * 16
    pod = Cgroup(f"/kubepods/pod{hash}", "pod", hash)
    notes = {"kubernetes.io/config.hash": hash, "kubernetes.io/config.mirror": hash}
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    names.pods.upsert(pod_object("apiserver-node-1", metadata={"annotations": notes}, status={}))
    assert named(names, pod)[0]["pod"] == "apiserver-node-1"


def test_file_that_comes_late(tmp_path: Path) -> None:
    """The API has named a container; its file, found later, adds what only the runtime knows."""
    clock = Clock()
    whole = make_label_resolver(Cadvisor())
    names = LabelResolver(Bundles(str(tmp_path), clock), whole.pods, whole.namespaces, whole._extra)
    names.pods.upsert(pod_object(status={"containerStatuses": [status("web", f"containerd://{ID}", "sha256:77")]}))
    assert named(names, container())[0]["image"] == "sha256:77"
    cri(tmp_path, ID)
    clock.now += 10
    assert named(names, container())[0]["image"] == "web:1"


def test_image_that_is_a_digest(tmp_path: Path) -> None:
    """Of two images the one that people know is shown."""
    docker = next(path for path in CASES if path.name == "docker")
    id = next(id for id, bundle in json.loads((docker / "wanted.json").read_text()).items() if bundle["container"] == "web")
    names = make_label_resolver(Cadvisor(root=str(docker / "host")))
    assert named(names, container(id))[0]["image"].startswith("sha256:")
    names.pods.upsert(pod_object(status={"containerStatuses": [status("web", f"docker://{id}", "web:1.4")]}))
    assert named(names, container(id))[0]["image"] == "web:1.4"


@pytest.mark.parametrize("host", [True, False])
def test_host_network(tmp_path: Path, host: bool) -> None:
    """The API tells whether a pod has the node's network; without it the sandbox's file does."""
    spec: dict[str, Any] = {"annotations": {"io.kubernetes.cri.container-type": "sandbox"}}
    spec["linux"] = {"namespaces": [{"type": "pid"}, *([] if host else [{"type": "network"}])]}
    put(tmp_path, f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{OTHER}/config.json", json.dumps(spec))
    cri(tmp_path, ID)
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    cgroups = (POD, container(), container(OTHER))
    named(names, *cgroups)
    assert [names.host_network(cgroup) for cgroup in cgroups] == [host] * 3
    names.pods.upsert(pod_object(spec={"hostNetwork": not host}))
    named(names, *cgroups)
    assert [names.host_network(cgroup) for cgroup in cgroups] == [not host] * 3


STAMPED = Cadvisor(
    pod_labels=("app", "team.*"),
    pod_annotations=("example.com/owner",),
    namespace_labels=("env",),
    workload=True,
)


def stamped(root: Path, **more: Any) -> LabelResolver:
    """Names with optional labels, and one pod that has them."""
    settings = Cadvisor(root=str(root), **{key: getattr(STAMPED, key) for key in STAMPED.__struct_fields__ if key != "root"})
    names = make_label_resolver(settings)
    metadata = {"labels": {"app": "web", "x": "y"}, "annotations": {"example.com/owner": "me"}, **more}
    names.pods.upsert(pod_object(metadata=metadata, status={"containerStatuses": [status("web", f"containerd://{ID}")]}))
    names.namespaces.upsert({"metadata": {"name": "shop", "labels": {"env": "live", "x": "y"}}})
    return names


def test_stamps(tmp_path: Path) -> None:
    """The labels that are asked for stand behind the kubelet's on every series: the pod's, its containers', and, empty,
    those of what is in no pod."""
    names = stamped(tmp_path)
    stamps = ("label_app", "annotation_example_com_owner", "namespace_label_env", "workload", "workload_kind")
    names.begin_pass([Cgroup("/", "root"), POD, container()])
    assert names.names == (*BASE, *stamps)
    assert names.labels(POD)[6:] == names.labels(container())[6:] == ("web", "me", "live", "web-1", "Pod")
    assert names.labels(Cgroup("/", "root"))[6:] == ("",) * 5


def test_changes_of_stamps_are_taken_over(tmp_path: Path) -> None:
    """Labels of a pod or namespace that change are other labels at the next pass."""
    names = stamped(tmp_path)
    named(names, container())
    names.namespaces.upsert({"metadata": {"name": "shop", "labels": {"env": "test"}}})
    assert named(names, container())[0]["namespace_label_env"] == "test"
    names.pods.upsert(pod_object(metadata={"labels": {"app": "web2"}}))
    assert named(names, container())[0]["label_app"] == "web2"


def test_wildcards_add_names_for_all(tmp_path: Path) -> None:
    """A key that matches a wildcard is added for all series when it is first seen, and stays; names that would be the same
    are told apart over all pods."""
    names = stamped(tmp_path)
    named(names, POD)
    fixed = names.names
    names.pods.upsert(pod_object("b", "uid-b", metadata={"labels": {"team.x/y": "1"}}, status={}))
    row = named(names, POD, Cgroup("/kubepods/poduid-b", "pod", "uid-b"))
    assert len(names.names) == len(fixed) + 1 and "label_team_x_y" not in row[0] and row[1]["label_team_x_y"] == "1"
    names.pods.upsert(pod_object("c", "uid-c", metadata={"labels": {"team.x.y": "2"}}, status={}))
    row = named(names, POD, Cgroup("/kubepods/poduid-b", "pod", "uid-b"), Cgroup("/kubepods/poduid-c", "pod", "uid-c"))
    assert (row[1]["label_team_x_y_conflict2"], row[2]["label_team_x_y_conflict1"]) == ("1", "2")
    count = len(names.names)
    names.pods.replace([])
    named(names, POD)
    assert len(names.names) == count


def test_wildcards_are_bounded(tmp_path: Path) -> None:
    """A pod with a thousand labels does not put them all on every series."""
    names = make_label_resolver(Cadvisor(root=str(tmp_path), pod_labels=("*",)))
    names.pods.upsert(pod_object(metadata={"labels": {f"l{number}": "" for number in range(1000)}}))
    named(names, POD)
    assert len(names.names) == len(BASE) + 256


def test_page_with_names_that_come_later(tmp_path: Path) -> None:
    """The sampler renders everything anew when there are more labels, whatever has not changed besides."""
    v2_tree(tmp_path)
    write(tmp_path / "kubepods" / "burstable" / f"pod{UID}" / ID, cpu_stat="usage_usec 1\n")
    names = stamped(tmp_path)
    pages = Pages(Node(Roots(str(tmp_path), str(tmp_path), str(tmp_path))), labels=names)
    assert 'pod="web-1",label_app="web"' in pages.page()
    names.pods.upsert(pod_object(version=2, metadata={"labels": {"app": "web", "team.a": "red"}}))
    line = next(line for line in pages.page().splitlines() if line.startswith("container_cpu_usage") and ID in line)
    assert 'label_app="web",label_team_a="red"' in line
    pages.sampler.close()


@pytest.mark.parametrize("key", ["pod_labels", "pod_annotations", "namespace_labels", "container_labels", "container_env"])
def test_allowlists_are_checked(tmp_path: Path, key: str) -> None:
    """Two wildcards in one name are an error that names its place."""
    file = put(tmp_path, "config.yaml", json.dumps({"kube_metrics": {"cadvisor": {key: ["a", "b*c*"]}}}))
    with pytest.raises(ConfigError, match=rf"kube_metrics.cadvisor.{key}\[1\]"):
        load(str(file), {})


def test_a_thousand_containers(tmp_path: Path) -> None:
    """Each of a thousand containers in its own pod has its own names, by its file and by the API, and nothing is read or
    worked out again while nothing changes."""
    names = make_label_resolver(Cadvisor(root=str(tmp_path)))
    cgroups = []
    for number in range(1000):
        uid, id = f"{number:08x}-0000-0000-0000-000000000000", f"{number:064x}"
        pod = Cgroup(f"/kubepods/pod{uid}", "pod", uid)
        cgroups += [pod, container(id, pod)]
        if number % 2:
            cri(tmp_path, id, pod=f"web-{number}", uid=uid)
        else:
            statuses = {"containerStatuses": [status("web", f"containerd://{id}")]}
            names.pods.upsert(pod_object(f"web-{number}", uid, status=statuses))
    rows = named(names, *cgroups)
    assert [row["pod"] for row in rows] == [f"web-{number // 2}" for number in range(2000)]
    kept = [names.labels(cgroup) for cgroup in cgroups]
    names.begin_pass(cgroups)
    assert all(names.labels(cgroup) is labels for cgroup, labels in zip(cgroups, kept))
    assert names.unknown == 0
