"""Detection of the cluster, the node and the scope."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from telegen.config import Config, ConfigError, detect, election_namespace
from telegen.config.detect import ACCOUNT

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
HOME = {"HOME": "/home/me"}
TOKEN, USUAL = f"{ACCOUNT}/token", "/home/me/.kube/config"


@pytest.mark.parametrize(
    ("settings", "environ", "files", "cluster", "containers"),
    [
        ({}, POD, {TOKEN}, "in-cluster", True),
        ({}, POD, set(), "", True),
        ({}, {}, {TOKEN}, "", True),
        ({}, {}, set(), "", True),
        ({}, HOME, {USUAL}, f"kubeconfig:{USUAL}", True),
        ({}, HOME, set(), "", True),
        ({}, {**HOME, "KUBECONFIG": "/a:/b"}, {USUAL, "/b"}, "kubeconfig:/b", True),
        ({}, {**HOME, "KUBECONFIG": "/a"}, {USUAL}, "", True),
        ({}, {**POD, **HOME}, {TOKEN, USUAL}, "in-cluster", True),
        ({"kube_state": {"kubeconfig": "/k"}}, POD, {TOKEN}, "kubeconfig:/k", True),
        ({"kube_state": {"apiserver": "http://x/"}}, POD, {TOKEN}, "http://x", True),
        ({"kube_state": {"enabled": False}}, POD, {TOKEN}, "", True),
        ({"auto_detect": False}, POD, {TOKEN}, "", True),
        ({"auto_detect": False, "enabled": True}, POD, {TOKEN}, "in-cluster", True),
        ({"enabled": False}, POD, {TOKEN}, "", False),
        ({"cadvisor": {"enabled": False}}, POD, {TOKEN}, "in-cluster", False),
    ],
)
def test_what_is_collected(
    settings: dict[str, object], environ: dict[str, str], files: set[str], cluster: str, containers: bool
) -> None:
    """Every combination of settings and environment leads to one source, with a reason."""
    found = detect(msgspec.convert({"kube_metrics": settings}, Config), environ, files.__contains__)
    assert (found.cluster, found.containers) == (cluster, containers)
    assert found.reason


@pytest.mark.parametrize(
    ("environ", "cause"),
    [
        (POD, f"{TOKEN} does not exist; mount the service account (automountServiceAccountToken)"),
        ({**HOME, "KUBECONFIG": "/a:/b"}, "KUBECONFIG=/a:/b: no such file"),
        (HOME, "not in a pod, and no kubeconfig"),
    ],
)
def test_why_there_is_no_cluster(environ: dict[str, str], cause: str) -> None:
    """The reason names the missing sign of a cluster."""
    assert detect(Config(), environ, lambda path: False).reason.startswith(f"no cluster found ({cause}): ")


NODE = {**POD, "NODE_NAME": "node-1"}


@pytest.mark.parametrize(
    ("settings", "environ", "node"),
    [
        ({}, NODE, "node-1"),
        ({}, POD, ""),
        ({}, {"NODE_NAME": "node-1"}, ""),
        ({}, {**HOME, "NODE_NAME": "node-1"}, ""),
        ({"node_name": "node-2"}, NODE, "node-2"),
        ({"node_name": "node-2"}, POD, "node-2"),
        ({"node_name": "node-2"}, HOME, ""),
        ({"scope": "cluster"}, NODE, ""),
        ({"scope": "node"}, {**HOME, "NODE_NAME": "node-1"}, "node-1"),
        ({"scope": "node", "node_name": "node-2"}, HOME, "node-2"),
        ({"kube_state": {"kubeconfig": "/k"}}, NODE, ""),
        ({"kube_state": {"apiserver": "http://x"}}, NODE, ""),
        ({"kube_state": {"node": "node-1"}}, NODE, ""),
        ({"kube_state": {"track_unscheduled_pods": True}}, NODE, ""),
        ({"kube_state": {"pod": "telegen-0"}}, NODE, ""),
        ({"kube_state": {"shard": 1, "total_shards": 3}}, NODE, ""),
        ({"kube_state": {"total_shards": 3}}, NODE, "node-1"),
        ({"kube_state": {"total_shards": 65}}, NODE, ""),
        ({"kube_state": {"enabled": False}}, NODE, ""),
        ({"enabled": False}, NODE, ""),
        ({"auto_detect": False}, NODE, ""),
        ({"auto_detect": False, "enabled": True}, NODE, "node-1"),
    ],
)
def test_scope(settings: dict[str, object], environ: dict[str, str], node: str) -> None:
    """An agent with a node has node scope, unless the settings fix its share or nothing is watched."""
    found = detect(msgspec.convert({"kube_metrics": settings}, Config), environ, {TOKEN, USUAL}.__contains__)
    assert found.node == node
    assert (f"for node {node}" in found.reason) == bool(node)
    told = environ is NODE and found.cluster == "in-cluster" and "scope" not in settings and not node
    assert ("in scope cluster as kube_state." in found.reason) == told


@pytest.mark.parametrize(
    "settings", [{"node_name": "node-1"}, {"scope": "cluster"}, {"kube_state": {"shard": 1, "total_shards": 3}}, {"enabled": False}]
)
def test_empty_name_of_the_node(settings: dict[str, object]) -> None:
    """An empty NODE_NAME is an error, as each agent would serve the whole cluster; it is ignored where it is not needed."""
    environ = {**POD, "NODE_NAME": ""}
    with pytest.raises(ConfigError, match="kube_metrics.node_name: NODE_NAME is empty in the environment"):
        detect(Config(), environ, {TOKEN}.__contains__)
    detect(msgspec.convert({"kube_metrics": settings}, Config), environ, {TOKEN}.__contains__)
    detect(Config(), {**HOME, "NODE_NAME": ""}, {USUAL}.__contains__)


def test_node_scope_needs_a_node() -> None:
    """An explicit node scope without a node is an error: every agent would serve the whole cluster."""
    config = msgspec.convert({"kube_metrics": {"scope": "node"}}, Config)
    with pytest.raises(ConfigError, match="kube_metrics.scope: node needs node_name, or NODE_NAME in the environment"):
        detect(config, POD, lambda path: True)


def test_namespace_of_the_leases(tmp_path: Path) -> None:
    """The namespace comes from the setting, else the variable, else the ServiceAccount; else it is an error."""
    account = str(tmp_path)
    named = msgspec.convert({"kube_metrics": {"election": {"namespace": "a"}}}, Config)
    assert election_namespace(named, {"POD_NAMESPACE": "b"}, account) == "a"
    assert election_namespace(Config(), {"POD_NAMESPACE": "b"}, account) == "b"
    with pytest.raises(ConfigError, match="kube_metrics.election.namespace: required outside a pod"):
        election_namespace(Config(), {}, account)
    (tmp_path / "namespace").write_text("c")
    assert election_namespace(Config(), {}, account) == "c"


PLACES: dict[str, tuple[dict[str, str], set[str], str]] = {
    "pod": (POD, {TOKEN}, "in-cluster"),
    "pod with a kubeconfig": ({**POD, **HOME}, {TOKEN, USUAL}, "in-cluster"),
    "pod without an account": (POD, set(), ""),
    "desk": (HOME, {USUAL}, f"kubeconfig:{USUAL}"),
    "nowhere": (HOME, set(), ""),
}
"""Environment, existing files, and the cluster they lead to."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("enabled", [None, True, False])
@pytest.mark.parametrize("auto_detect", [True, False])
@pytest.mark.parametrize("enable", [True, False])
@pytest.mark.parametrize("state", [True, False])
@pytest.mark.parametrize("cadvisor", [True, False])
def test_every_combination(
    place: str, enabled: bool | None, auto_detect: bool, enable: bool, state: bool, cadvisor: bool
) -> None:
    """The rule of the specification, for all combinations of its switches: `enabled` decides; if it is null, auto_detect and
    kubernetes.enable must both be true. Each source has a switch of its own."""
    environ, files, there = PLACES[place]
    kube = {"enabled": enabled, "auto_detect": auto_detect, "kube_state": {"enabled": state}, "cadvisor": {"enabled": cadvisor}}
    config = msgspec.convert({"kubernetes": {"enable": enable}, "kube_metrics": kube}, Config)
    found = detect(config, environ, files.__contains__)
    wanted = {True: True, False: False, None: auto_detect and enable}[enabled]
    assert found.cluster == (there if wanted and state else "")
    assert found.containers == (cadvisor and enabled is not False)
    assert found.node == ""


def test_kubernetes_enable_stops_detection_only() -> None:
    """kubernetes.enable false prevents detection, but not kube_metrics.enabled: true."""
    off = {"kubernetes": {"enable": False}}
    assert detect(msgspec.convert(off, Config), POD, lambda path: True).cluster == ""
    asked = msgspec.convert({**off, "kube_metrics": {"enabled": True}}, Config)
    assert detect(asked, POD, lambda path: True).cluster == "in-cluster"
