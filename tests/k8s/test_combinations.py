"""Combinations of folders and components as kustomize renders them, also with the user's `namespace:`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.kubectl import COMPONENTS, Kubectl, Object, Variant
from tests.k8s.combinations import FOLDERS, NODE_AND_CLUSTER, RESTRICTED, V1BETA2, combinations, components

pytestmark = pytest.mark.cluster
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "FlowSchema", "PriorityLevelConfiguration", "SecurityContextConstraints", "APIService"}


def names(folders: tuple[str, ...]) -> str:
    """Return a name for a test."""
    return "+".join(folder.rpartition("/")[2] for folder in folders)


def identity(obj: Object) -> tuple[str, str, str]:
    """Return kind, namespace and name."""
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


@pytest.mark.parametrize("folders", FOLDERS, ids=names)
def test_combinations_lose_nothing(folders: tuple[str, ...], kubectl: Kubectl) -> None:
    """Every combination renders, has no object twice, and has the objects of each of its components."""
    rendered = {variant.components: [identity(obj) for obj in kubectl.build(variant)] for variant in combinations(folders)}
    for chosen, found in rendered.items():
        assert max(Counter(found).values()) == 1
        alone = [rendered.get((component,), []) for component in chosen]
        assert set(found) >= set().union(rendered[()], *alone)


@pytest.mark.parametrize("folders", FOLDERS, ids=names)
def test_bindings_are_for_accounts_that_exist(folders: tuple[str, ...], kubectl: Kubectl) -> None:
    """With all components each binding names a role and an account of the manifests, the account of Prometheus or the role `view`."""
    objs = kubectl.build(Variant(folders, components(folders)[1:]), namespace="theirs")
    others = {("ServiceAccount", "monitoring", "prometheus-k8s"), ("ClusterRole", "", "view"), ("ClusterRole", "", "system:auth-delegator")}
    known = {identity(obj) for obj in objs} | others
    for binding in [obj for obj in objs if obj["kind"].endswith("RoleBinding")]:
        subjects = {(subject["kind"], subject["namespace"], subject["name"]) for subject in binding["subjects"]}
        role = (binding["roleRef"]["kind"], "", binding["roleRef"]["name"])
        assert subjects <= known and {role, (role[0], "theirs", role[2])} & known


def test_reviews_are_rights_of_every_account(kubectl: Kubectl) -> None:
    """With components/auth the agents of both accounts may have tokens reviewed."""
    roles = [obj for obj in kubectl.build(Variant(NODE_AND_CLUSTER, ("auth",))) if obj["kind"] == "ClusterRole"]
    may_review = {obj["metadata"]["name"] for obj in roles if any("tokenreviews" in rule.get("resources", ()) for rule in obj["rules"])}
    assert may_review == {"telegen-node", "telegen-cluster"}


@pytest.mark.parametrize("folders", [("base",), ("overlays/node",), NODE_AND_CLUSTER], ids=names)
def test_constraints_are_for_the_agents_of_nodes_alone(folders: tuple[str, ...], kubectl: Kubectl) -> None:
    """In any order of components only the role of the DaemonSet's account may use the SecurityContextConstraints; scrapers may not."""
    for chosen in (("openshift", "auth"), ("auth", "openshift")):
        roles = [obj for obj in kubectl.build(Variant(folders, chosen)) if obj["kind"] == "ClusterRole"]
        may_use = [obj["metadata"]["name"] for obj in roles if any("use" in rule["verbs"] for rule in obj["rules"])]
        assert may_use == ["telegen" if folders == ("base",) else "telegen-node"]


def test_every_component_is_combined() -> None:
    """No component of k8s/ is left out of the combinations."""
    assert {name for folders in FOLDERS for flow in ("flow-control", V1BETA2) for name in components(folders, flow)} == set(COMPONENTS)


def values(found: Any, key: str) -> Iterator[Any]:
    """Yield the values of a key at any depth."""
    for inner in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from values(inner, key)
    if isinstance(found, dict) and key in found:
        yield found[key]


@pytest.mark.parametrize("flow_control", ["flow-control", V1BETA2])
@pytest.mark.parametrize("folders", FOLDERS, ids=names)
def test_a_users_namespace_moves_everything(folders: tuple[str, ...], flow_control: str, kubectl: Kubectl) -> None:
    """`namespace:` moves all objects and all references to their namespace, and nothing else; no Namespace object is among them."""
    chosen = components(folders, flow_control)[1:]
    before, objs = (kubectl.build(Variant(folders, chosen), **fields) for fields in ({}, {"namespace": "theirs"}))
    assert "Namespace" not in {obj["kind"] for obj in objs}
    assert {obj["metadata"].get("namespace") for obj in objs if obj["kind"] not in CLUSTER_WIDE} == {"theirs"}
    parts = [{key: part for key, part in obj.items() if key != "metadata"} for obj in objs]
    assert set(values(parts, "namespace")) == {"theirs", "monitoring"}
    assert "system:serviceaccounts" not in str(parts)
    assert len(objs) == len(before)


def test_the_default_folder_has_its_namespace(kubectl: Kubectl) -> None:
    """base has no Namespace object; the component has one, which allows what the DaemonSet needs."""
    assert "Namespace" not in {obj["kind"] for obj in kubectl.build(Variant(("base",)))}
    with_it = kubectl.build(Variant(("base",), ("namespace",)))
    assert kubectl.build(Variant((".",))) == with_it
    (namespace,) = [obj for obj in with_it if obj["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"


@pytest.mark.parametrize("folders", [(name,) for name in RESTRICTED], ids=names)
def test_the_restricted_profile_is_enough(folders: tuple[str, ...], kubectl: Kubectl) -> None:
    """The namespace of the agents without access to nodes enforces `restricted`."""
    (namespace,) = [obj for obj in kubectl.build(Variant(folders, ("namespace-restricted",))) if obj["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
