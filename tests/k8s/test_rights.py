"""The rights of k8s/account against the registry of resources: neither one too few nor one too many."""

from __future__ import annotations

from typing import Any

import yaml

from telegen.kubestate.registry import DEFAULT, RESOURCES
from tests.cluster.control_plane import LEASES, RBAC, SECRETS

OBJECTS = list(yaml.safe_load_all(RBAC.read_text()))


def named(kind: str) -> list[dict[str, Any]]:
    """The objects of a kind in the file of rights."""
    return [obj for obj in OBJECTS if obj["kind"] == kind]


def test_rights_are_exactly_those_needed() -> None:
    """The cluster role and components/secrets grant list and watch on the default resources, and nothing else; Secrets only the latter.

    That this suffices is shown on a real server: tests/cluster runs the agent with this account.
    """
    (role,) = named("ClusterRole")
    (secrets,) = [step["value"] for step in yaml.safe_load(SECRETS.read_text())]
    assert secrets["resources"] == ["secrets"]
    granted = [
        (group, resource, verb)
        for rule in (*role["rules"], secrets)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    assert all(set(rule) == {"apiGroups", "resources", "verbs"} for rule in (*role["rules"], secrets))
    needed = {(RESOURCES[name].group, name, verb) for name in DEFAULT for verb in ("list", "watch")}
    missing, extra = sorted(needed - set(granted)), sorted(set(granted) - needed)
    assert not missing, f"k8s/account/rbac.yaml: add to the ClusterRole (group, resource, verb): {missing}"
    assert not extra, f"k8s/account/rbac.yaml: no default resource needs (group, resource, verb): {extra}; delete the rules"
    assert len(granted) == len(needed)


def test_rights_go_to_the_account_alone() -> None:
    """The binding joins that role to the one account of the file."""
    (account,), (role,), (binding,) = named("ServiceAccount"), named("ClusterRole"), named("ClusterRoleBinding")
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role["metadata"]["name"]}
    assert binding["subjects"] == [{"kind": "ServiceAccount", **{key: account["metadata"][key] for key in ("name", "namespace")}}]


def test_rights_on_leases() -> None:
    """In its own namespace, and nowhere else, the account of a DaemonSet may write Leases, and nothing but Leases."""
    role, binding = yaml.safe_load_all(LEASES.read_text())
    (rule,) = role["rules"]
    assert (rule["apiGroups"], rule["resources"]) == (["coordination.k8s.io"], ["leases"])
    # What telegen.election.lease asks for, and the standby's watch.
    assert set(rule["verbs"]) == {"create", "get", "list", "update", "watch"}
    assert binding["roleRef"]["kind"] == role["kind"] == "Role" and binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == named("ClusterRoleBinding")[0]["subjects"]
    assert {obj["metadata"]["namespace"] for obj in (role, binding)} == {binding["subjects"][0]["namespace"]}


def test_rights_in_a_namespace() -> None:
    """The Role of overlays/namespaced grants list and watch on namespaced default resources; its configuration leaves out the others."""
    role, binding = yaml.safe_load_all((RBAC.parents[1] / "namespace-rights" / "rbac.yaml").read_text())
    granted = [(group, name) for rule in role["rules"] for group in rule["apiGroups"] for name in rule["resources"]]
    assert sorted(granted) == sorted((RESOURCES[name].group, name) for name in DEFAULT if RESOURCES[name].namespaced)
    assert all(rule["verbs"] == ["list", "watch"] for rule in role["rules"])
    assert binding["subjects"] == named("ClusterRoleBinding")[0]["subjects"] and binding["roleRef"]["kind"] == "Role"
    config = yaml.safe_load((RBAC.parents[1] / "overlays" / "namespaced" / "telegen.yaml").read_text())
    excluded = config["kube_metrics"]["kube_state"]["resources_exclude"]
    assert excluded == sorted(name for name in DEFAULT if not RESOURCES[name].namespaced)
