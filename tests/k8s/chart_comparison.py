"""Compare a rendering of the chart with manifests of kustomize: what differs by design is put into one form."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from telegen.config import Config, load
from tests.cluster.kubectl import Object
from tests.k8s.rendered import ADAPTER, AGENT, config_text, environment, workload

RBAC = {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
"""Kinds that are compared by the rights that they give: the chart has one role where components add some."""
PODS = {AGENT: "the labels of the agent's pods", ADAPTER: "the labels of the adapter's pods"}
GROUPS = {"TELEGEN_ADAPTER__GROUPS", "RESOURCE_METRICS", "CUSTOM_METRICS", "EXTERNAL_METRICS"}
"""Variables of the manifests in place of a setting of the chart."""
Objects = Mapping[tuple[str, str, str], Object]


def canonical(objs: list[Object]) -> Objects:
    """Return the objects by kind, namespace and name, without rights and labels, with one form for selectors and configurations."""
    found = {}
    for obj in copy.deepcopy([obj for obj in objs if obj["kind"] not in RBAC]):
        metadata = obj["metadata"]
        # kustomize puts the suffix of a part at the end, the chart has it in the beginning: telegen-critical-pods-node.
        name = metadata["name"] = _sorted(metadata["name"])
        key = obj["kind"], metadata.get("namespace", ""), name
        found[key] = _without_labels(_with_selectors(_in_order(obj), pod_labels(objs)))
        if "telegen.yaml" in obj.get("data", {}):
            found[key]["data"] = configuration(objs, ADAPTER if ADAPTER in name else AGENT)
    return found


def pod_labels(objs: list[Object]) -> Mapping[str, Mapping[str, str]]:
    """Return the labels of the pods by the name of their container."""
    present = [AGENT, *([ADAPTER] if any(obj["kind"] == "APIService" for obj in objs) else [])]
    return {name: workload(objs, name)["spec"]["template"]["metadata"]["labels"] for name in present}


def _sorted(name: str) -> str:
    return "-".join(sorted(name.split("-")))


def configuration(objs: list[Object], name: str = AGENT) -> Config:
    """Return the settings of a container, loaded as it would."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(config_text(objs, name))
        file.flush()
        return load(file.name, environment(objs, name))


def _in_order(value: Any) -> Any:
    """Sort lists of named things, such as volumes: a patch of kustomize puts its own first."""
    if isinstance(value, dict):
        return {key: _in_order(inner) for key, inner in value.items()}
    if not isinstance(value, list):
        return value
    if not all(isinstance(one, dict) and "name" in one for one in value):
        return [_in_order(one) for one in value]
    return sorted((_in_order(one) for one in value if one["name"] not in GROUPS), key=lambda one: str(one["name"]))


def _with_selectors(value: Any, pods: Mapping[str, Mapping[str, str]]) -> Any:
    """Replace every selector that selects the pods of the agent or of the adapter."""
    if isinstance(value, list):
        return [_with_selectors(one, pods) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: _selected(key, inner, pods) or _with_selectors(inner, pods) for key, inner in value.items()}


def _selected(key: str, selector: Any, pods: Mapping[str, Mapping[str, str]]) -> str:
    strings = isinstance(selector, dict) and selector and all(isinstance(one, str) for one in selector.values())
    if key not in ("matchLabels", "selector") or not strings:
        return ""
    return "".join(PODS[name] for name, labels in pods.items() if selector.items() <= labels.items())


def _without_labels(obj: Object) -> Object:
    obj["metadata"].pop("labels", None)
    if "template" in obj.get("spec", {}):
        obj["spec"]["template"]["metadata"].pop("labels")
    return obj


def labels(objs: list[Object]) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """Return the labels of objects by kind and name, and those of the pods."""
    pods = {("Pod", name): found for name, found in pod_labels(objs).items()}
    found = {(obj["kind"], _sorted(obj["metadata"]["name"])): obj["metadata"].get("labels", {}) for obj in objs if obj["kind"] not in RBAC}
    return {**found, **pods}


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
