"""The schema of the chart's values: types by the defaults of values.yaml, and by the settings of the agent for `config`."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, Union

import msgspec

from telegen.config.model import Config
from telegen.config.section import Section
from telegen.config.types import Block
from telegen.kubestate.packs.registry import AUTO, NAMES
from telegen.kubestate.registry import RESOURCES
from tests.k8s.rule_files import rules

Schema = dict[str, Any]
OBJECT: Schema = {"type": "object"}
STRINGS: Schema = {"type": "array", "items": {"type": "string"}}
OBJECTS: Schema = {"type": "array", "items": OBJECT}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
NUMBER: Schema = {"type": ["integer", "null"], "minimum": 0}
SHARE: Schema = {"type": ["integer", "string", "null"], "pattern": "^[0-9]+%$", "minimum": 0}
VALUE: Schema = {"type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?$"}
KEY = "^([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$"
"""Values and keys of labels, as Kubernetes checks them."""


def _map(key: str, value: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "patternProperties": {key: value}}


LABELS = _map(KEY, VALUE)
LABELS_REF: Schema = {"$ref": "#/definitions/labels"}
ANNOTATIONS = _map(KEY, {"type": "string"})
ANNOTATIONS_REF: Schema = {"$ref": "#/definitions/annotations"}
SERIES_LABELS = _map("^[A-Za-z_][A-Za-z0-9_]*$", {"type": "string"})
DURATION: Schema = {
    "type": "string",
    "pattern": "^(([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$",
}
"""As the operator checks them, or empty."""
NAMESPACE: Schema = {"type": "string", "pattern": "^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$"}
NAME: Schema = {"type": "string", "maxLength": 253, "pattern": "^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$"}
SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
SCALAR_REF: Schema = {"$ref": "#/definitions/scalar"}
IMAGE: Schema = {"type": "string", "pattern": "^([A-Za-z0-9]+(([._-]+|[:/])[A-Za-z0-9]+)*)?$"}
SECRET: Schema = {**NAME, "minLength": 1}
NAMED: Schema = {"type": "object", "required": ["name"], "additionalProperties": False, "properties": {"name": SECRET}}
PULL_SECRETS: Schema = {"type": "array", "items": {"anyOf": [SECRET, NAMED]}}
ALERTS = [rule["alert"] for rule in rules() if "alert" in rule]
SPECIAL: Mapping[str, Schema] = {
    "mode": {"enum": ["daemonset", "standalone", "shards"]},
    "replicas": {"type": ["integer", "null"], "minimum": 1},
    "nameOverride": {"type": "string", "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"},
    "namespaceOverride": NAMESPACE,
    "global.imageRegistry": IMAGE,
    "image.registry": IMAGE,
    "image.repository": {**IMAGE, "minLength": 1},
    "image.tag": {"type": "string", "pattern": "^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$"},
    "image.pullPolicy": {"enum": ["IfNotPresent", "Always", "Never"]},
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "imagePullSecrets": PULL_SECRETS,
    "global.imagePullSecrets": PULL_SECRETS,
    "extraArgs": STRINGS,
    "serviceAccount.name": NAME,
    "rbac.useExistingRole": {"type": "string"},
    "service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "service.port": PORT,
    "prometheus.monitor.kind": {"enum": ["PodMonitor", "ServiceMonitor"]},
    "prometheus.monitor.scheme": {"enum": ["http", "https"]},
    "prometheus.monitor.namespace": NAMESPACE,
    "prometheus.monitor.podTargetLabels": STRINGS,
    "prometheus.rule.namespace": NAMESPACE,
    "prometheus.rule.disabled": {"type": "array", "items": {"enum": ALERTS}},
    "prometheus.rule.alertLabels": SERIES_LABELS,
    "prometheus.discovery.namespace": {**NAMESPACE, "minLength": 1},
    "prometheus.discovery.serviceAccount": {**NAME, "minLength": 1},
    "dashboards.namespace": NAMESPACE,
    "dashboards.labels": LABELS_REF,
    # An empty list allows all sources.
    "networkPolicy.from": {**OBJECTS, "minItems": 1},
    "networkPolicy.apiServerPorts": {"type": "array", "items": PORT},
    "networkPolicy.otlpPorts": {"type": "array", "items": PORT},
    "podDisruptionBudget.minAvailable": SHARE,
    "podDisruptionBudget.maxUnavailable": SHARE,
    "resourceQuota.pods": {"type": ["integer", "string"], "pattern": "^[0-9]+[kMG]?$", "minimum": 0},
    "priorityClassName": NAME,
    "nodeSelector": LABELS_REF,
    "tolerations": {"type": ["array", "null"], "items": OBJECT},
    "topologySpreadConstraints": {"type": ["array", "null"], "items": OBJECT},
    "terminationGracePeriodSeconds": {"type": "integer", "minimum": 1},
    "flowControl.shares": {"type": "integer", "minimum": 1},
    "dnsPolicy": {"enum": ["", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]},
    "adapter.groups": {"type": "array", "items": {"enum": ["metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"]}},
    "adapter.existing": NAME,
    "adapter.replicas": {"type": "integer", "minimum": 1},
    "adapter.caBundle": {"type": "string", "pattern": "^[A-Za-z0-9+/]*=*$"},
    "adapter.nodeSelector": LABELS_REF,
    "adapter.priorityClassName": NAME,
    "adapter.objects": {"type": "array", "items": {"$ref": "#/definitions/rule"}},
    "adapter.networkPolicy.prometheusPorts": {"type": "array", "items": PORT},
    "extraManifests": {"type": "array", "items": {"type": ["object", "string"]}},
}
"""Values whose type the default does not show."""
RULE: Schema = {
    "type": "object",
    "required": ["apiGroups", "resources"],
    "additionalProperties": False,
    "properties": {"apiGroups": STRINGS, "resources": STRINGS},
}
BOOLEAN: Schema = {"type": "boolean"}
PATH: Schema = {"type": "string", "pattern": "^/[^$]*$"}
TEXT: Schema = {"type": "string", "pattern": "^[^$]*$"}
OWN_NAMESPACE: Schema = {"type": "string", "pattern": r"^(([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?|\$\{POD_NAMESPACE\})$"}
FOLLOWED: Mapping[str, Schema] = {
    "kubernetes.enable": BOOLEAN,
    "kubernetes.cluster_uid": BOOLEAN,
    "kube_metrics.enabled": {"type": ["boolean", "null"]},
    "kube_metrics.auto_detect": BOOLEAN,
    "kube_metrics.separate_endpoints": BOOLEAN,
    "kube_metrics.scope": {"enum": ["auto", "node", "cluster"]},
    "kube_metrics.metrics_path": PATH,
    "kube_metrics.election.candidate": BOOLEAN,
    "kube_metrics.election.namespace": OWN_NAMESPACE,
    "kube_metrics.kube_state.enabled": BOOLEAN,
    "kube_metrics.kube_state.resources": {"type": "array", "items": {"enum": sorted(RESOURCES)}},
    "kube_metrics.kube_state.resources_exclude": {"type": "array", "items": {"enum": sorted(RESOURCES)}},
    "kube_metrics.kube_state.custom_resource_state.config_maps.namespace": {
        "type": "string",
        "pattern": r"^(([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?|\*|\$\{POD_NAMESPACE\})$",
    },
    "kube_metrics.kube_state.custom_resource_state.config_maps.selector": TEXT,
    "kube_metrics.kube_state.custom_resource_state.only": BOOLEAN,
    "kube_metrics.kube_state.custom_resource_state.packs": {"type": "array", "items": {"enum": [AUTO, *NAMES]}},
    "kube_metrics.cadvisor.cgroup_root": PATH,
    "kube_metrics.cadvisor.enabled": BOOLEAN,
    "kube_metrics.cadvisor.root": PATH,
    "kube_metrics.logs_streaming.enabled": BOOLEAN,
    "web.auth": {"enum": ["none", "kubernetes"]},
}
"""Settings of the agent that objects of the chart follow: they have values and not `${NAME}`, which helm cannot resolve."""


MAPS = {"abels": LABELS_REF, "nnotations": ANNOTATIONS_REF}
"""Ends of the names of values that map strings to strings."""


def schema(values: Mapping[str, Any]) -> Schema:
    """Return the JSON schema of values.yaml: a misspelt key and a value of another type are errors."""
    definitions = {"scalar": SCALAR, "labels": LABELS, "annotations": ANNOTATIONS, "rule": RULE}
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": definitions}
    found = _of(values, "")
    # Helm sets `global` of every chart below another one, with values of theirs.
    found["properties"]["global"]["additionalProperties"] = True
    # Charts above this one turn it on and off by this value: `condition: telegen.enabled` of a dependency.
    found["properties"]["enabled"] = BOOLEAN
    return {**head, **found}


def _of(value: Any, path: str) -> Schema:
    """Return the schema of a value."""
    if path in ("config", "adapter.config"):
        return _section(Config)
    if path in SPECIAL:
        return SPECIAL[path]
    name = path.rpartition(".")[2]
    if isinstance(value, Mapping) and value:
        inner = {key: _of(one, f"{path}.{key}" if path else key) for key, one in value.items()}
        # Helm deletes a value that a user sets to null.
        required = [key for key, one in value.items() if one is not None]
        return {"type": "object", "required": required, "additionalProperties": False, "properties": inner}
    if isinstance(value, Mapping):
        return next((found for end, found in MAPS.items() if name.endswith(end)), OBJECT)
    if value is None:
        return NUMBER
    if isinstance(value, str) and name in ("interval", "scrapeTimeout"):
        return DURATION
    return {bool: {"type": "boolean"}, int: {"type": "integer"}, str: {"type": "string"}, list: OBJECTS}[type(value)]


def _section(section: type[Section], path: str = "") -> Schema:
    """Return the schema of a section of the agent's settings. `telegen check-config` and the agent check the values."""
    hints = typing.get_type_hints(section)
    names = {member.encode_name: member.name for member in msgspec.structs.fields(section)}
    properties = {name: _setting(hints[member], f"{path}{name}") for name, member in names.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _setting(hint: Any, path: str = "") -> Schema:
    """Return the schema of a setting: sections, lists and maps by their type, any scalar for others, as `${NAME}` fits each."""
    if path in FOLLOWED:
        return FOLLOWED[path]
    if isinstance(hint, type) and issubclass(hint, Section):
        return _section(hint, f"{path}.")
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return {"type": "array", "items": _setting(arguments[0])}
    if hint is Block:
        return {"type": ["string", "array", "object"]}
    if origin is Union:
        lists = [_setting(one) for one in arguments if typing.get_origin(one) is tuple]
        return {"anyOf": [SCALAR_REF, *lists]} if lists else SCALAR_REF
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _setting(arguments[1])}
    return SCALAR_REF
