"""Compare a rendering of the chart with manifests of kustomize: what differs by design is put into one form."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from telegen.config import Config, load
from tests.cluster.kubectl import Object
from tests.k8s.rendered import config_text, environment, workload

RBAC = {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
"""Kinds that are compared by the rights that they give: the chart has one role where components add some."""
PODS = "the labels of the agent's pods"
Objects = Mapping[tuple[str, str, str], Object]


def canonical(objs: list[Object]) -> Objects:
    """Return the objects by kind, namespace and name, without rights and labels, with one form for selectors and configurations."""
    labels = workload(objs)["spec"]["template"]["metadata"]["labels"]
    found = {}
    for obj in copy.deepcopy([obj for obj in objs if obj["kind"] not in RBAC]):
        metadata = obj["metadata"]
        # kustomize puts the suffix of a part at the end, the chart has it in the beginning: telegen-critical-pods-node.
        name = metadata["name"] = _sorted(metadata["name"])
        key = obj["kind"], metadata.get("namespace", ""), name
        found[key] = _without_labels(_with_selectors(obj, labels))
        if "telegen.yaml" in obj.get("data", {}):
            found[key]["data"] = configuration(objs)
    return found


def _sorted(name: str) -> str:
    return "-".join(sorted(name.split("-")))


def configuration(objs: list[Object]) -> Config:
    """Return the settings of the objects' pod, loaded as the pod would."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(config_text(objs))
        file.flush()
        return load(file.name, environment(objs))


def _with_selectors(value: Any, labels: Mapping[str, str]) -> Any:
    """Replace every selector that selects the agent's pods."""
    if isinstance(value, list):
        return [_with_selectors(one, labels) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: PODS if key in ("matchLabels", "selector") and _selects(inner, labels) else _with_selectors(inner, labels)
        for key, inner in value.items()
    }


def _selects(selector: Any, labels: Mapping[str, str]) -> bool:
    strings = isinstance(selector, dict) and selector and all(isinstance(one, str) for one in selector.values())
    return bool(strings and selector.items() <= labels.items())


def _without_labels(obj: Object) -> Object:
    obj["metadata"].pop("labels", None)
    if "template" in obj.get("spec", {}):
        obj["spec"]["template"]["metadata"].pop("labels")
    return obj


def labels(objs: list[Object]) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """Return the labels of objects by kind and name, and those of the pods."""
    pods = workload(objs)["spec"]["template"]["metadata"]["labels"]
    found = {(obj["kind"], _sorted(obj["metadata"]["name"])): obj["metadata"].get("labels", {}) for obj in objs if obj["kind"] not in RBAC}
    return {**found, ("Pod", ""): pods}


def rights(objs: list[Object]) -> set[str]:
    """Return what each account may do, one line per namespace, group, resource and verb; rules of roles without a binding as well."""
    found = [obj for obj in objs if obj["kind"].endswith("Role")]
    roles = {(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj for obj in found}
    given, bound = set(), set()
    for binding in [obj for obj in objs if obj["kind"].endswith("Binding")]:
        namespace, ref = binding["metadata"].get("namespace", ""), binding["roleRef"]
        key = ref["kind"], namespace if ref["kind"] == "Role" else "", ref["name"]
        bound.add(key)
        for subject in binding["subjects"]:
            account = f"{subject['namespace']}/{subject['name']} in {namespace or 'all'}:"
            given |= {f"{account} {line}" for line in (_lines(roles[key]) if key in roles else [f"role {ref['name']}"])}
    return given | {f"unbound: {line}" for key in roles.keys() - bound for line in _lines(roles[key])}


def _lines(role: Object) -> Iterator[str]:
    """Yield one line per group, resource and verb of a role."""
    if "aggregationRule" in role:
        yield json.dumps(role["aggregationRule"], sort_keys=True)
    for rule in role["rules"]:
        whats = [f"{group}/{name} {rule.get('resourceNames', '')}" for group in rule.get("apiGroups", ()) for name in rule["resources"]]
        yield from (f"{verb} {what}" for what in (*whats, *rule.get("nonResourceURLs", ())) for verb in rule["verbs"])
