"""OpenAPI v3 documents of the API groups, for `kubectl explain`: one static document for each group and version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from telegen import __version__
from telegen.adapter.groups import CUSTOM, EXTERNAL, RESOURCE

Schema = dict[str, Any]
_META = "meta.v1.ObjectMeta"
_QUANTITY: Schema = {
    "type": "string",
    "description": "Number with a unit: n, u, m, k, M, G, T, P, E by thousands; Ki, Mi, Gi, Ti, Pi, Ei by 1024.",
}
_TIME: Schema = {"type": "string", "format": "date-time", "description": "Time in RFC 3339."}
_KIND: Schema = {
    "apiVersion": {"type": "string", "description": "Group and version of the API."},
    "kind": {"type": "string", "description": "Kind of the object."},
}
_SELECTOR: Schema = {"type": "object", "description": "Selector of series that the request had; null without one."}


def _ref(name: str, description: str = "") -> Schema:
    return {"description": description, "allOf": [{"$ref": f"#/components/schemas/{name}"}]}


def _object(description: str, properties: Schema, required: Iterable[str] = ()) -> Schema:
    return {"type": "object", "description": description, "properties": properties, **({"required": [*required]} if required else {})}


def _list(items: Schema, description: str) -> Schema:
    return {"type": "array", "description": description, "items": items}


_USAGE: Schema = {
    "type": "object",
    "description": "Usage by resource: cpu in cores, memory (working set) and swap in bytes. swap is absent where it is not known.",
    "additionalProperties": _ref("Quantity"),
}
_SAMPLE: Schema = {
    "metadata": _ref(_META, "Name, namespace and labels of the pod or node; creationTimestamp is the time of the answer."),
    "timestamp": {**_TIME, "description": "End of the window in which usage was measured."},
    "window": {"type": "string", "description": "Length of the window, such as 10.213s."},
}
_COMMON: Mapping[str, Schema] = {
    "Quantity": _QUANTITY,
    _META: _object(
        "Metadata of an object.",
        {
            "name": {"type": "string", "description": "Name."},
            "namespace": {"type": "string", "description": "Namespace; absent for a node."},
            "creationTimestamp": _TIME,
            "labels": {"type": "object", "description": "Labels.", "additionalProperties": {"type": "string"}},
        },
    ),
}
_RESOURCE: Mapping[str, Schema] = {
    "ContainerMetrics": _object(
        "Usage of a container.", {"name": {"type": "string", "description": "Name of the container."}, "usage": _USAGE}, ("name", "usage")
    ),
    "PodMetrics": _object(
        "Usage of the containers of a pod.",
        {**_KIND, **_SAMPLE, "containers": _list(_ref("ContainerMetrics"), "Usage of each container.")},
        ("timestamp", "window", "containers"),
    ),
    "NodeMetrics": _object("Usage of a node.", {**_KIND, **_SAMPLE, "usage": _USAGE}, ("timestamp", "window", "usage")),
}
_DESCRIBED = _object(
    "Object that a value is about.",
    {name: {"type": "string"} for name in ("apiVersion", "kind", "namespace", "name")},
)
_VALUE: Schema = {"timestamp": {**_TIME, "description": "Time of the value."}, "value": _ref("Quantity", "The value.")}
_CUSTOM: Mapping[str, Mapping[str, Schema]] = {
    "v1beta1": {
        "metricName": {"type": "string", "description": "Name of the metric."},
        "window": {"type": "integer", "format": "int64", "description": "Seconds over which a rate was measured."},
        "selector": _SELECTOR,
    },
    "v1beta2": {
        "metric": _object(
            "The metric.", {"name": {"type": "string", "description": "Name of the metric."}, "selector": _SELECTOR}, ("name",)
        ),
        "windowSeconds": {"type": "integer", "format": "int64", "description": "Seconds over which a rate was measured."},
    },
}
_EXTERNAL: Schema = {
    "metricName": {"type": "string", "description": "Name of the metric."},
    "metricLabels": {"type": "object", "description": "Labels of the value.", "additionalProperties": {"type": "string"}},
    "window": {"type": "integer", "format": "int64", "description": "Seconds over which a rate was measured."},
}


def _schemas(group: str, version: str) -> dict[str, Schema]:
    """Return the schemas of a version; the kinds of its answers are in `_PATHS`."""
    if group == RESOURCE:
        return {**_COMMON, **_RESOURCE}
    if group == CUSTOM:
        item = _object("Value of a metric of an object.", {"describedObject": _DESCRIBED, **_CUSTOM[version], **_VALUE})
        return {**_COMMON, **_values("MetricValue", item)}
    return {**_COMMON, **_values("ExternalMetricValue", _object("Value of a metric without an object.", {**_EXTERNAL, **_VALUE}))}


def _values(kind: str, item: Schema) -> dict[str, Schema]:
    listed = _object(f"List of {kind}.", {**_KIND, "items": _list(_ref(kind), "The values.")}, ("items",))
    return {kind: item, f"{kind}List": listed}


_PATHS: Mapping[str, Mapping[str, str]] = {
    RESOURCE: {
        "nodes": "NodeMetrics",
        "nodes/{name}": "NodeMetrics",
        "pods": "PodMetrics",
        "namespaces/{namespace}/pods": "PodMetrics",
        "namespaces/{namespace}/pods/{name}": "PodMetrics",
    },
    CUSTOM: {
        "{resource}/{name}/{metric}": "MetricValueList",
        "namespaces/{namespace}/metrics/{metric}": "MetricValueList",
        "namespaces/{namespace}/{resource}/{name}/{metric}": "MetricValueList",
    },
    EXTERNAL: {"namespaces/{namespace}/{metric}": "ExternalMetricValueList"},
}
"""Kind by path after the version."""


def _operation(group: str, version: str, path: str, kind: str) -> Schema:
    parameters = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}} for part in path.split("/") if part[0] == "{"
    ]
    content = {"application/json": {"schema": _ref(kind)}}
    operation = {
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": "get" if path.endswith("}") else "list",
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }
    return {"get": operation, "parameters": parameters}


@lru_cache
def document(group: str, version: str) -> tuple[bytes, str]:
    """Return the document of a version as JSON, and its hash."""
    schemas = _schemas(group, version)
    for kind in set(_PATHS[group].values()):
        schemas[kind] = {**schemas[kind], "x-kubernetes-group-version-kind": [{"group": group, "version": version, "kind": kind}]}
    paths = {f"/apis/{group}/{version}/{path}": _operation(group, version, path, kind) for path, kind in _PATHS[group].items()}
    info = {"title": "Telegen", "version": __version__}
    data = orjson.dumps({"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}})
    return data, hashlib.sha256(data).hexdigest()[:32].upper()


def root(groups: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """Return the list of the documents of groups and versions."""
    paths = [f"apis/{group}/{version}" for group, versions in groups.items() for version in versions]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={document(*path.split('/')[1:])[1]}"} for path in paths}}
