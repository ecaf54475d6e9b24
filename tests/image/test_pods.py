"""Run the pods of the manifests with runc on the image's file system, with the account of the manifests on a real API server.

User, capabilities, mounts, seccomp profile, environment and command are those of the manifests.
"""

from __future__ import annotations

import copy
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
from tests.cluster.kubectl import MANIFESTS, Kubectl, Object, Variant
from tests.image.dockerfile import Stage
from tests.image.oci import system_mounts
from tests.image.pods import Page, Pods, Ran
from tests.image.sandbox import Sandbox
from tests.k8s.rendered import FIELDS, container, pod_spec
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
BASE, HARDENED = Variant(("base",)), Variant(("base",), ("hardened",))
DAEMONSETS = (BASE, HARDENED)
SHARDS = Variant(("overlays/shards",))
EVERY = (*DAEMONSETS, Variant(("overlays/standalone",)), SHARDS)
RIGHTS = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
ASKED = (("", "nodes", ""), ("coordination.k8s.io", "leases", "telegen"))
"""A resource of the ClusterRole and one of the Role."""
LIMIT = 64 << 20
WRITES = "/bin/busybox dd if=/dev/zero of=/written bs=1k count=256 && exec /bin/busybox sleep 1000"
README = MANIFESTS / "README.md"
TESTS = MANIFESTS.parent / "tests"
SPECIFICATION, CONFIGURATION = TESTS / "cluster" / "world" / "specification.yaml", TESTS / "config" / "spec.yaml"


def apply_shards(plane: ControlPlane, kubectl: Kubectl) -> None:
    """Apply the StatefulSet, and create the first of the pods that its controller would create."""
    kept = [obj for obj in kubectl.build(SHARDS) if obj["kind"] == "StatefulSet"]
    kubectl.run("apply", "-f", "-", text=yaml.safe_dump_all(kept))
    made = plane.request("GET", "/apis/apps/v1/namespaces/telegen/statefulsets/telegen")
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "telegen", "uid": made["metadata"]["uid"], "controller": True}
    template = made["spec"]["template"]
    metadata = {**template["metadata"], "name": FIELDS["metadata.name"], "namespace": "telegen", "ownerReferences": [owner]}
    plane.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})


def allowed(plane: ControlPlane, group: str, resource: str, namespace: str) -> bool:
    """Return True if the agent's account may list a resource."""
    attributes = {"verb": "list", "group": group, "resource": resource, "namespace": namespace}
    spec = {"user": "system:serviceaccount:telegen:telegen", "resourceAttributes": attributes}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool(plane.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"])


@pytest.fixture(scope="module")
def cgroup() -> Iterator[OwnCgroup]:
    """A container's cgroup with a memory limit."""
    own = OwnCgroup()
    try:
        own.set("memory", ("memory.limit_in_bytes", LIMIT), ("memory.max", LIMIT))
        yield own
    finally:
        own.end()


@pytest.fixture(scope="module")
def sandbox(cgroup: OwnCgroup, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A pod's sandbox; its containers end before their cgroups are removed."""
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
        kept = [obj for obj in kubectl.build(Variant(("base",), ("namespace",))) if obj["kind"] in RIGHTS]
        sandbox.inside(kubectl.run, "apply", "-f", "-", text=yaml.safe_dump_all(kept))
        # The authorizer reads new rights a moment after they are stored.
        wait_for("the rights", lambda: all(sandbox.inside(allowed, plane, *asked) for asked in ASKED), 20, 0.1)
        # Enough deployments for both of two shards.
        sandbox.inside(plane.apply, [node("node-1"), *(deployment(f"shop-{number}") for number in range(20))])
        sandbox.inside(apply_shards, plane, kubectl)
        yield plane
    finally:
        sandbox.inside(plane.stop)


@pytest.fixture
def view() -> Iterator[View]:
    """The node as seen outside of any container."""
    with closing(View()) as view:
        yield view


@pytest.fixture(scope="module")
def quiet(cgroup: OwnCgroup) -> str:
    """The cgroup of a container in a pod of its own, known to the runtime only, not to the API."""
    return f"{cgroup.pod.rpartition('/')[0]}/pod{uuid.uuid4()}/{os.urandom(32).hex()}"


@pytest.fixture(scope="module")
def neighbours(
    sandbox: Sandbox, plane: ControlPlane, cgroup: OwnCgroup, quiet: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Containers of two other pods, which have written 256 kB: one with a pod in the API and a network, and `quiet`."""
    root, id = make_root(tmp_path_factory.mktemp("busybox") / "root"), cgroup.container_id
    status = {"name": "main", "containerID": f"containerd://{id}", "image": "shop:1", "imageID": "", "ready": True, "restartCount": 0}
    sandbox.inside(plane.create, pod("neighbour", containerStatuses=[status]))
    sandbox.start(id, cgroup.id, sleeper(), root, own_network=True)
    link = ["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "veth1"]
    subprocess.run(["nsenter", "-t", str(sandbox.pid(id)), "-n", *link], check=True, timeout=200)
    notes = {"container-type": "container", "container-name": "quiet", "sandbox-name": "quiet-1", "sandbox-namespace": "shop"}
    annotations = {f"io.kubernetes.cri.{key}": value for key, value in notes.items()}
    sandbox.start(quiet.rpartition("/")[2], quiet, {**sleeper(), "annotations": annotations}, root, own_network=True)


def sleeper() -> dict[str, Any]:
    """Return the configuration of a container that writes a file, then sleeps."""
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/busybox", "sh", "-c", WRITES], "cwd": "/"},
        "root": {"path": "rootfs"},
        "mounts": system_mounts(False),
        "linux": {"namespaces": [{"type": kind} for kind in ("mount", "ipc", "uts", "pid")]},
    }


@pytest.fixture(scope="module")
def pods(
    image: Stage, sandbox: Sandbox, plane: ControlPlane, cgroup: OwnCgroup, neighbours: None, tmp_path_factory: pytest.TempPathFactory
) -> Pods:
    """Runner of pods of the manifests."""
    return Pods(image, tmp_path_factory.mktemp("pods"), sandbox, plane, cgroup)


@pytest.fixture(scope="module")
def run(pods: Pods) -> Callable[[Variant], Ran]:
    """Function that runs the pod of a variant of the manifests once and returns its results."""
    return functools.cache(pods.run)


@pytest.mark.parametrize("where", EVERY, ids=str)
def test_pod_runs(where: Variant, run: Callable[[Variant], Ran]) -> None:
    """Probes succeed after the sync, no file is written, a changed ConfigMap is applied, and SIGTERM ends the pod well within its
    grace period."""
    ran = run(where)
    assert set(ran.answers.values()) == {200}
    assert where == SHARDS or {"kube_pod_info", "kube_node_info"} <= ran.page.families("")
    assert len(ran.page.rows("kube_deployment_created")) == 20 or where == SHARDS
    assert ran.written == set() and "Read-only" not in ran.log
    assert ('telegen_config_reloads_total{result="success"} 1.0' in ran.telemetry) == (where in DAEMONSETS)
    assert ran.status == 0 and ran.seconds < pod_spec(ran.objs)["terminationGracePeriodSeconds"] - 5


@pytest.mark.parametrize("where", EVERY, ids=str)
def test_process_has_the_rights_of_the_manifests(where: Variant, run: Callable[[Variant], Ran]) -> None:
    """User, capabilities, seccomp filter and read-only mounts of the process are those of root, or of an unprivileged user."""
    ran = run(where)
    status = dict(re.findall(r"^(\w+):\s+(\w+)", ran.process, re.MULTILINE))
    own = dict(re.findall(r"^(\w+):\s+(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE))
    root = {"Uid": "0", "Gid": "0", "CapEff": own["CapEff"], "NoNewPrivs": "0", "Seccomp": own["Seccomp"]}
    unprivileged = {"Uid": "65532", "Gid": "65532", "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    assert (root if where == BASE else unprivileged).items() <= status.items()
    rights = {line.split()[4]: line.split()[5].split(",")[0] for line in ran.mounts.splitlines()}
    assert rights["/"] == "ro"
    for mount in container(ran.objs)["volumeMounts"]:
        assert rights[mount["mountPath"]] == ("ro" if mount.get("readOnly") else "rw")


@pytest.mark.parametrize("where", DAEMONSETS, ids=str)
def test_the_containers_values_are_the_kernels(where: Variant, run: Callable[[Variant], Ran], cgroup: OwnCgroup) -> None:
    """CPU time, memory limit, processes and labels of an idle container equal those of the kernel and the API."""
    page = run(where).page
    check_values(page, cgroup)
    assert page.value("container_processes", cgroup.id) == 1
    network = page.rows("container_network_receive_packets_total", cgroup.pod)
    assert {labels["interface"] for labels, _ in network} == {"eth0", "veth1"}


def check_values(page: Page, cgroup: OwnCgroup) -> None:
    """Compare CPU time, memory limit and labels of an idle container with those of the kernel and the API."""
    id = cgroup.id
    if is_v2("cpuacct"):
        used = int(re.findall(r"usage_usec (\d+)", (cgroup.path("cpuacct") / "cpu.stat").read_text())[0]) / 1e6
    else:
        used = int((cgroup.path("cpuacct") / "cpuacct.usage").read_text()) / 1e9
    assert page.value("container_cpu_usage_seconds_total", id) == pytest.approx(used, rel=0.01)
    assert page.value("container_spec_memory_limit_bytes", id) == LIMIT
    ((labels, _),) = page.rows("container_memory_working_set_bytes", id)
    assert {"container": "main", "pod": "neighbour", "namespace": "default"}.items() <= labels.items()


def specified(objs: list[Object]) -> list[Object]:
    """Return the manifests with the specification's configuration, and with its securityContext, mounts and volumes alone."""
    objs = copy.deepcopy(objs)
    given = yaml.safe_load(SPECIFICATION.read_text())["daemonset"]
    spec, only = pod_spec(objs), container(objs)
    mounts = [mount for mount in only["volumeMounts"] if mount["name"] == "config"]
    only |= {"securityContext": given["securityContext"], "volumeMounts": [*mounts, *given["volumeMounts"]]}
    spec["volumes"] = [*(volume for volume in spec["volumes"] if volume["name"] == "config"), *given["volumes"]]
    del spec["hostPID"]
    (config,) = [obj for obj in objs if obj["kind"] == "ConfigMap"]
    config["data"]["telegen.yaml"] = CONFIGURATION.read_text()
    return objs


def test_the_specifications_daemonset(pods: Pods, cgroup: OwnCgroup) -> None:
    """With the specification's fragment, as it is written, and its configuration the pod is ready and serves objects and containers.

    The kernel lists no processes of other containers without hostPID, so process and network counters need it.
    """
    ran = pods.run_objects(specified(Kubectl.found().build(BASE)))
    assert set(ran.answers.values()) == {200} and ran.status == 0
    assert {"kube_pod_info", "kube_node_info", "kube_deployment_created"} <= ran.page.families("")
    check_values(ran.page, cgroup)


def test_nothing_is_refused_to_the_privileged(run: Callable[[Variant], Ran], view: View) -> None:
    """The privileged agent gets no errors but those that root gets outside of a container as well."""
    view.all()
    ran = run(BASE)
    reasons = set(re.findall(r'^telegen_sample_errors_total\{reason="(\w+)"\} [^0]', ran.telemetry, re.MULTILINE))
    assert reasons <= set(view.errors)
    assert re.findall(r"^telegen_(?:api_errors|worker_restarts)_total\{.*\} [^0].*", ran.telemetry, re.MULTILINE) == []
    assert " warning " not in ran.log and " error " not in ran.log


def test_families_that_the_hardened_agent_lacks(run: Callable[[Variant], Ran], cgroup: OwnCgroup) -> None:
    """With all groups enabled a container lacks exactly the families listed in k8s/README.md; pods lack none, the node no others."""
    before, after = run(BASE).everything, run(HARDENED).everything
    rows = [line.split("|")[1:3] for line in README.read_text().partition("## Without privileges")[2].split("\n") if line.startswith("| ")]
    listed = {name for what, _ in rows for name in re.findall(r"`(container_\w+)`", what)}
    if Node().fd_size_is_count:
        listed -= {"container_file_descriptors"}
    assert before.families(cgroup.id) - after.families(cgroup.id) == listed
    assert 256 << 10 <= before.value("container_fs_usage_bytes", cgroup.id) <= 300 << 10
    for id in (cgroup.pod, ""):
        assert before.families(id) == after.families(id)
    assert before.families("/") - listed <= after.families("/") <= before.families("/")


def test_refused_files_fail_no_pass(run: Callable[[Variant], Ran]) -> None:
    """Files that the hardened agent may not read are counted and logged once; no pass fails."""
    ran = run(HARDENED)
    assert set(re.findall(r'^telegen_sample_errors_total\{reason="(\w+)"\} [^0]', ran.telemetry, re.MULTILINE)) == {"EACCES"}
    assert ran.page.value("container_scrape_error") == ran.everything.value("container_scrape_error") == 0
    warnings = [line for line in ran.log.splitlines() if " warning " in line]
    assert [line.partition(": ")[2].partition(": ")[0] for line in warnings] == ["disk usage of containers"]


def test_names_from_runtime_files_need_privileges(run: Callable[[Variant], Ran], quiet: str) -> None:
    """Only the privileged agent has the names of a pod that is known from the runtime's files alone."""
    found = {where: run(where).page.rows("container_memory_working_set_bytes", quiet)[0][0]["pod"] for where in DAEMONSETS}
    assert found == {BASE: "quiet-1", HARDENED: ""}
