"""The pods of the manifests as a runtime starts them: their user, capabilities, mounts, seccomp profile, environment and
command, on the image's root, with the account that `kubectl apply` makes on a real API server."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from telegen.cadvisor.node import Node
from tests.cadvisor.real.cgroups import OwnCgroup, is_v2
from tests.cadvisor.real.view import View
from tests.cadvisor.runtime.runtimes import make_root
from tests.cluster.binaries import Programs
from tests.cluster.control_plane import ADMIN, ControlPlane, deployment, node, pod
from tests.cluster.kubectl import MANIFESTS, Kubectl
from tests.image.dockerfile import Stage
from tests.image.oci import system_mounts
from tests.image.pods import Pods, Ran
from tests.image.sandbox import Sandbox
from tests.k8s.rendered import FIELDS, container, pod_spec
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
DAEMONSETS = ("base", "overlays/hardened")
SHARDS = "overlays/shards"
EVERY = (*DAEMONSETS, "overlays/standalone", SHARDS)
RIGHTS = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
ASKED = (("", "nodes", ""), ("coordination.k8s.io", "leases", "telegen"))
"""Something of the cluster role and something of the role."""
LIMIT = 64 << 20
WRITES = "/bin/busybox dd if=/dev/zero of=/written bs=1k count=256 && exec /bin/busybox sleep 1000"
README = MANIFESTS / "README.md"


def apply_shards(plane: ControlPlane, kubectl: Kubectl) -> None:
    """The StatefulSet, and the first of the pods that its controller would make."""
    kept = [obj for obj in kubectl.render(MANIFESTS / SHARDS) if obj["kind"] == "StatefulSet"]
    kubectl.run("apply", "-f", "-", text=yaml.safe_dump_all(kept))
    made = plane.request("GET", "/apis/apps/v1/namespaces/telegen/statefulsets/telegen")
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "telegen", "uid": made["metadata"]["uid"], "controller": True}
    template = made["spec"]["template"]
    metadata = {**template["metadata"], "name": FIELDS["metadata.name"], "namespace": "telegen", "ownerReferences": [owner]}
    plane.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})


def allowed(plane: ControlPlane, group: str, resource: str, namespace: str) -> bool:
    """Whether the server lets the agent's account list something."""
    attributes = {"verb": "list", "group": group, "resource": resource, "namespace": namespace}
    spec = {"user": "system:serviceaccount:telegen:telegen", "resourceAttributes": attributes}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool(plane.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"])


@pytest.fixture(scope="module")
def cgroup() -> Iterator[OwnCgroup]:
    """A container's cgroup, with a limit."""
    own = OwnCgroup()
    try:
        own.set("memory", ("memory.limit_in_bytes", LIMIT), ("memory.max", LIMIT))
        yield own
    finally:
        own.end()


@pytest.fixture(scope="module")
def sandbox(cgroup: OwnCgroup, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A pod's sandbox; its containers end before the cgroups in which they are."""
    made = Sandbox(tmp_path_factory.mktemp("sandbox"))
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def plane(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real API server in the pod's network, with the rights of the manifests and some objects."""
    plane = ControlPlane(Programs.found(), tmp_path_factory.mktemp("control-plane"))
    try:
        sandbox.inside(plane.start)
        kubectl = Kubectl.found(plane.kubeconfig(tmp_path_factory.mktemp("admin") / "kubeconfig", ADMIN))
        kept = [obj for obj in kubectl.render(MANIFESTS / "base") if obj["kind"] in RIGHTS]
        sandbox.inside(kubectl.run, "apply", "-f", "-", text=yaml.safe_dump_all(kept))
        # The server learns of rights a moment after it has them.
        wait_for("the rights", lambda: all(sandbox.inside(allowed, plane, *asked) for asked in ASKED), 20, 0.1)
        # So many that each of two shards has some.
        sandbox.inside(plane.apply, [node("node-1"), *(deployment(f"shop-{number}") for number in range(20))])
        sandbox.inside(apply_shards, plane, kubectl)
        yield plane
    finally:
        sandbox.inside(plane.stop)


@pytest.fixture
def view() -> Iterator[View]:
    """What is seen outside of any container."""
    with closing(View()) as view:
        yield view


@pytest.fixture(scope="module")
def quiet(cgroup: OwnCgroup) -> str:
    """The cgroup of a container, in a pod of its own, of which only its runtime tells."""
    return f"{cgroup.pod.rpartition('/')[0]}/pod{uuid.uuid4()}/{os.urandom(32).hex()}"


@pytest.fixture(scope="module")
def neighbours(
    sandbox: Sandbox, plane: ControlPlane, cgroup: OwnCgroup, quiet: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Containers of two other pods, which have written 256 kB: one that the API knows, with a network, and `quiet`."""
    root, id = make_root(tmp_path_factory.mktemp("busybox") / "root"), cgroup.container_id
    status = {"name": "main", "containerID": f"containerd://{id}", "image": "shop:1", "imageID": "", "ready": True, "restartCount": 0}
    sandbox.inside(plane.create, pod("neighbour", containerStatuses=[status]))
    sandbox.start(id, cgroup.id, sleeper(), root, own_network=True)
    link = ["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "veth1"]
    subprocess.run(["nsenter", "-t", str(sandbox.pid(id)), "-n", *link], check=True, timeout=60)
    notes = {"container-type": "container", "container-name": "quiet", "sandbox-name": "quiet-1", "sandbox-namespace": "shop"}
    annotations = {f"io.kubernetes.cri.{key}": value for key, value in notes.items()}
    sandbox.start(quiet.rpartition("/")[2], quiet, {**sleeper(), "annotations": annotations}, root, own_network=True)


def sleeper() -> dict[str, Any]:
    """A container that writes something and does no more."""
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/busybox", "sh", "-c", WRITES], "cwd": "/"},
        "root": {"path": "rootfs"},
        "mounts": system_mounts(False),
        "linux": {"namespaces": [{"type": kind} for kind in ("mount", "ipc", "uts", "pid")]},
    }


@pytest.fixture(scope="module")
def run(
    image: Stage, sandbox: Sandbox, plane: ControlPlane, cgroup: OwnCgroup, neighbours: None, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Ran]:
    """What was seen of the pod of some manifests; each runs once."""
    pods = Pods(image, tmp_path_factory.mktemp("pods"), sandbox, plane, cgroup)
    return functools.cache(pods.run)


@pytest.mark.parametrize("where", EVERY)
def test_it_runs(where: str, run: Callable[[str], Ran]) -> None:
    """Probes are answered once the cluster's objects are there, nothing is written, the changed ConfigMap is taken, and
    SIGTERM ends it long before it would be killed."""
    ran = run(where)
    assert set(ran.answers.values()) == {200}
    assert where == SHARDS or {"kube_pod_info", "kube_node_info"} <= ran.page.families("")
    assert len(ran.page.rows("kube_deployment_created")) == 20 or where == SHARDS
    assert ran.written == set() and "Read-only" not in ran.log
    assert ('telegen_config_reloads_total{result="success"} 1.0' in ran.telemetry) == (where in DAEMONSETS)
    assert ran.status == 0 and ran.seconds < pod_spec(ran.objs)["terminationGracePeriodSeconds"] - 5


@pytest.mark.parametrize("where", EVERY)
def test_it_has_what_the_manifests_give_it(where: str, run: Callable[[str], Ran]) -> None:
    """User, capabilities, seccomp filter and read-only mounts of the running process: all of root's, or nothing at all."""
    ran = run(where)
    status = dict(re.findall(r"^(\w+):\s+(\w+)", ran.process, re.MULTILINE))
    own = dict(re.findall(r"^(\w+):\s+(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE))
    root = {"Uid": "0", "Gid": "0", "CapEff": own["CapEff"], "NoNewPrivs": "0", "Seccomp": own["Seccomp"]}
    nobody = {"Uid": "65532", "Gid": "65532", "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    assert (root if where == "base" else nobody).items() <= status.items()
    rights = {line.split()[4]: line.split()[5].split(",")[0] for line in ran.mounts.splitlines()}
    assert rights["/"] == "ro"
    for mount in container(ran.objs)["volumeMounts"]:
        assert rights[mount["mountPath"]] == ("ro" if mount.get("readOnly") else "rw")


@pytest.mark.parametrize("where", DAEMONSETS)
def test_the_containers_values_are_the_kernels(where: str, run: Callable[[str], Ran], cgroup: OwnCgroup) -> None:
    """Of a container that does nothing any more: CPU time, memory limit, processes, and the labels of the API."""
    page, id = run(where).page, cgroup.id
    if is_v2("cpuacct"):
        used = int(re.findall(r"usage_usec (\d+)", (cgroup.path("cpuacct") / "cpu.stat").read_text())[0]) / 1e6
    else:
        used = int((cgroup.path("cpuacct") / "cpuacct.usage").read_text()) / 1e9
    assert page.value("container_cpu_usage_seconds_total", id) == pytest.approx(used, rel=0.01)
    assert page.value("container_spec_memory_limit_bytes", id) == LIMIT
    assert page.value("container_processes", id) == 1
    ((labels, _),) = page.rows("container_memory_working_set_bytes", id)
    assert {"container": "main", "pod": "neighbour", "namespace": "default"}.items() <= labels.items()
    network = page.rows("container_network_receive_packets_total", cgroup.pod)
    assert {labels["interface"] for labels, _ in network} == {"eth0"}


def test_nothing_is_refused_to_the_privileged(run: Callable[[str], Ran], view: View) -> None:
    """No file that the DaemonSet's agent wants to read is one that root could not read outside of a container as well."""
    view.all()
    ran = run("base")
    reasons = set(re.findall(r'^telegen_sample_errors_total\{reason="(\w+)"\} [^0]', ran.telemetry, re.MULTILINE))
    assert reasons <= set(view.errors)
    assert re.findall(r"^telegen_(?:api_errors|worker_restarts)_total\{.*\} [^0].*", ran.telemetry, re.MULTILINE) == []
    assert " warning " not in ran.log and " error " not in ran.log


def test_what_the_hardened_lose(run: Callable[[str], Ran], cgroup: OwnCgroup) -> None:
    """With all groups on, a container lacks exactly the families that k8s/README.md lists; pods lack none, the node no others."""
    before, after = run("base").everything, run("overlays/hardened").everything
    rows = [line.split("|")[1:3] for line in README.read_text().partition("## Without privileges")[2].split("\n") if line.startswith("| ")]
    listed = {name for what, _ in rows for name in re.findall(r"`(container_\w+)`", what)}
    if Node().fd_size_is_count:
        listed -= {"container_file_descriptors"}
    assert before.families(cgroup.id) - after.families(cgroup.id) == listed
    assert 256 << 10 <= before.value("container_fs_usage_bytes", cgroup.id) <= 300 << 10
    for id in (cgroup.pod, ""):
        assert before.families(id) == after.families(id)
    assert before.families("/") - listed <= after.families("/") <= before.families("/")


def test_being_refused_is_no_error(run: Callable[[str], Ran]) -> None:
    """What the hardened agent may not read is counted and said once; no pass has failed for it."""
    ran = run("overlays/hardened")
    assert set(re.findall(r'^telegen_sample_errors_total\{reason="(\w+)"\} [^0]', ran.telemetry, re.MULTILINE)) == {"EACCES"}
    assert ran.page.value("container_scrape_error") == ran.everything.value("container_scrape_error") == 0
    warnings = [line for line in ran.log.splitlines() if " warning " in line]
    assert [line.partition(": ")[2].partition(": ")[0] for line in warnings] == ["layers of containers may not be read"]


def test_names_need_the_api_there(run: Callable[[str], Ran], quiet: str) -> None:
    """What only the runtime's files tell is a name to the privileged alone."""
    found = {where: run(where).page.rows("container_memory_working_set_bytes", quiet)[0][0]["pod"] for where in DAEMONSETS}
    assert found == {"base": "quiet-1", "overlays/hardened": ""}
