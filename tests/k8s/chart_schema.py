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

Schema = dict[str, Any]
OBJECT: Schema = {"type": "object"}
STRINGS: Schema = {"type": "array", "items": {"type": "string"}}
OBJECTS: Schema = {"type": "array", "items": OBJECT}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
NUMBER: Schema = {"type": ["integer", "null"], "minimum": 0}
SHARE: Schema = {"type": ["integer", "string", "null"], "pattern": "^[0-9]+%$", "minimum": 0}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))*$"}
NAMESPACE: Schema = {"type": "string", "pattern": "^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$"}
SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
SCALAR_REF: Schema = {"$ref": "#/definitions/scalar"}
NAMED: Schema = {"type": "object", "required": ["name"], "additionalProperties": False, "properties": {"name": {"type": "string"}}}
PULL_SECRETS: Schema = {"type": "array", "items": {"anyOf": [{"type": "string"}, NAMED]}}
SPECIAL: Mapping[str, Schema] = {
    "mode": {"enum": ["daemonset", "standalone", "shards"]},
    "replicas": {"type": ["integer", "null"], "minimum": 1},
    "nameOverride": {"type": "string", "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"},
    "namespaceOverride": NAMESPACE,
    "image.pullPolicy": {"enum": ["IfNotPresent", "Always", "Never"]},
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "imagePullSecrets": PULL_SECRETS,
    "global.imagePullSecrets": PULL_SECRETS,
    "extraArgs": STRINGS,
    "service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "service.port": PORT,
    "prometheus.monitor.kind": {"enum": ["PodMonitor", "ServiceMonitor"]},
    "prometheus.monitor.scheme": {"enum": ["http", "https"]},
    "prometheus.monitor.namespace": NAMESPACE,
    "prometheus.monitor.podTargetLabels": STRINGS,
    "prometheus.rule.namespace": NAMESPACE,
    "prometheus.rule.disabled": STRINGS,
    "prometheus.discovery.namespace": NAMESPACE,
    "dashboards.namespace": NAMESPACE,
    "dashboards.labels": TEXTS,
    "networkPolicy.apiServerPorts": {"type": "array", "items": PORT},
    "networkPolicy.otlpPorts": {"type": "array", "items": PORT},
    "podDisruptionBudget.minAvailable": SHARE,
    "podDisruptionBudget.maxUnavailable": SHARE,
    "resourceQuota.pods": {"type": ["integer", "string"]},
    "nodeSelector": TEXTS,
    "tolerations": {"type": ["array", "null"], "items": OBJECT},
    "topologySpreadConstraints": {"type": ["array", "null"], "items": OBJECT},
    "terminationGracePeriodSeconds": {"type": "integer", "minimum": 1},
    "flowControl.shares": {"type": "integer", "minimum": 1},
    "dnsPolicy": {"enum": ["", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]},
    "adapter.groups": {"type": "array", "items": {"enum": ["metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"]}},
    "adapter.replicas": {"type": "integer", "minimum": 1},
    "adapter.caBundle": {"type": "string", "pattern": "^[A-Za-z0-9+/]*=*$"},
    "adapter.nodeSelector": TEXTS,
    "adapter.networkPolicy.prometheusPorts": {"type": "array", "items": PORT},
    "extraManifests": {"type": "array", "items": {"type": ["object", "string"]}},
}
"""Values whose type the default does not show."""
BOOLEAN: Schema = {"type": "boolean"}
FOLLOWED: Mapping[str, Schema] = {
    "kubernetes.enable": BOOLEAN,
    "kubernetes.cluster_uid": BOOLEAN,
    "kube_metrics.enabled": {"type": ["boolean", "null"]},
    "kube_metrics.auto_detect": BOOLEAN,
    "kube_metrics.separate_endpoints": BOOLEAN,
    "kube_metrics.scope": {"enum": ["auto", "node", "cluster"]},
    "kube_metrics.election.candidate": BOOLEAN,
    "kube_metrics.kube_state.enabled": BOOLEAN,
    "kube_metrics.kube_state.resources": {"type": "array", "items": {"enum": sorted(RESOURCES)}},
    "kube_metrics.kube_state.resources_exclude": {"type": "array", "items": {"enum": sorted(RESOURCES)}},
    "kube_metrics.kube_state.custom_resource_state.only": BOOLEAN,
    "kube_metrics.kube_state.custom_resource_state.packs": {"type": "array", "items": {"enum": [AUTO, *NAMES]}},
    "kube_metrics.cadvisor.enabled": BOOLEAN,
    "kube_metrics.logs_streaming.enabled": BOOLEAN,
    "web.auth": {"enum": ["none", "kubernetes"]},
}
"""Settings of the agent that objects of the chart follow: they have values and not `${NAME}`, which helm cannot resolve."""
LABELS = ("Labels", "annotations", "Annotations", "labels")
"""Ends of the names of values that map strings to strings."""


def schema(values: Mapping[str, Any]) -> Schema:
    """Return the JSON schema of values.yaml: a misspelt key and a value of another type are errors."""
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"scalar": SCALAR}}
    found = _of(values, "")
    # Helm sets `global` of every chart below another one, with values of theirs.
    found["properties"]["global"]["additionalProperties"] = True
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
        return {"type": "object", "additionalProperties": False, "properties": inner}
    if isinstance(value, Mapping):
        return TEXTS if name.endswith(LABELS) else OBJECT
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
