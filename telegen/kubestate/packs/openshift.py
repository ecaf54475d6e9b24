"""OpenShift: routes, builds, deployment configs, quotas of several namespaces, groups; the families of openshift-state-metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from telegen.kubestate.constructors import STATUSES, owner_rows
from telegen.kubestate.fields import at, count, each, items, number_text, text, time_at
from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.quantity import milli_in_range
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, FamilyGenerator, Generate, Object, Row, dynamic, gauge
from telegen.metrics.label_keys import label_pairs, sanitize

PHASES = ("Complete", "Cancelled", "New", "Pending", "Running", "Failed", "Error")
BUILD_CONFIG = "openshift.io/build-config.name"
"""Annotation and label of a build with the name of its BuildConfig."""

_annotations, _labels = at("metadata.annotations", {}), at("metadata.labels", {})
_hard, _used = at("spec.quota.hard", {}), at("status.total.used", {})


def _labels_family(kind: str) -> FamilyGenerator:
    """Make the family of all labels of an object: their names are cleaned, and not brought to snake case."""

    def generate(obj: Object) -> Iterable[Row]:
        return [(label_pairs(_labels(obj), "label_", lambda key, prefix: prefix + sanitize(key)), 1)]

    help = f"One series per {kind}, always 1; its labels (metadata.labels)."
    return dynamic(f"openshift_{kind}_labels", help, ALPHA, generate, "label_*")


def _created(kind: str) -> FamilyGenerator:
    help = f"Creation time of the {kind} in Unix seconds (metadata.creationTimestamp)."
    return gauge(f"openshift_{kind}_created", help, ALPHA, time_at("metadata.creationTimestamp"))


def _time_or_zero(path: str) -> Generate:
    read = time_at(path)
    return lambda obj: read(obj) or 0


# --- routes

_tls, _weight = text("spec.tls.termination"), at("spec.to.weight")
_to = [text(f"spec.{path}") for path in ("to.kind", "to.name")]
_host, _path = text("spec.host"), text("spec.path")


def _route_info(obj: Object) -> Iterable[Row]:
    weight = _weight(obj)
    to_weight = "" if weight is None else number_text(weight)
    return [(_host(obj), _path(obj), _tls(obj), *[read(obj) for read in _to], to_weight, 1)]


def _ingress_rows(row: Callable[[Object, Object], Row | None]) -> Generate:
    """Make rows of each condition of each router that has seen a route."""
    read = items("status.ingress")

    def generate(obj: Object) -> Iterable[Row]:
        pairs = ((ingress, condition) for ingress in read(obj) for condition in ingress.get("conditions") or ())
        return [made for ingress, condition in pairs if (made := row(ingress, condition)) is not None]

    return generate


def _route_status(ingress: Object, condition: Object) -> Row:
    place = ingress.get("host") or "", ingress.get("routerName") or ""
    return condition.get("status") or "", condition.get("type") or "", *place, 1


def _route_admitted(ingress: Object, condition: Object) -> Row | None:
    if condition.get("type") != "Admitted":
        return None
    return ingress.get("host") or "", ingress.get("routerName") or "", condition.get("status") == "True"


ROUTES = Resource(
    name="routes",
    group="route.openshift.io",
    version="v1",
    kind="Route",
    namespaced=True,
    identity=(NAMESPACE, name_label("route")),
    families=(
        _created("route"),
        gauge(
            "openshift_route_info",
            "One series per route, always 1; host, path and service (spec.host, spec.path, spec.tls.termination, spec.to).",
            ALPHA, _route_info, "host", "path", "tls_termination", "to_kind", "to_name", "to_weight",
        ),
        gauge(
            "openshift_route_status", "One series per condition of each router, always 1 (status.ingress[].conditions).",
            ALPHA, _ingress_rows(_route_status), "status", "type", "host", "router_name",
        ),
        _labels_family("route"),
        gauge(
            "openshift_route_admitted", "1 if a router serves the route, else 0 (status.ingress[].conditions, type Admitted).",
            ALPHA, _ingress_rows(_route_admitted), "host", "router_name",
        ),
    ),
    # spec.tls has the private key of the route: of it only the kind of termination is ever decoded.
    reads=("spec.host", "spec.path", "spec.tls.termination", "spec.to", "status.ingress"),
)

# --- builds


def _build_config(obj: Object) -> str:
    annotations, labels = _annotations(obj), _labels(obj)
    name: str = annotations.get(BUILD_CONFIG, labels.get(BUILD_CONFIG, labels.get("buildconfig", "")))
    return name


def _strategy(obj: Object) -> str:
    return str(text("spec.strategy.type")(obj)).lower()


_phase, _duration, _reason = text("status.phase"), count("status.duration"), text("status.reason")


def _build_phases(obj: Object) -> Iterable[Row]:
    phase = _phase(obj)
    if not isinstance(phase, str):
        raise TypeError(f"status.phase is no text: {phase!r}")
    return [(one.lower(), one == phase) for one in PHASES]


def _build_duration(obj: Object) -> int | None:
    nanoseconds = _duration(obj)
    seconds: int = math.trunc(nanoseconds / 1e9)
    return seconds if nanoseconds else None


def _build_reason(obj: Object) -> Iterable[Row] | None:
    reason = _reason(obj)
    return [(reason, 1)] if reason else None


BUILDS = Resource(
    name="builds",
    group="build.openshift.io",
    version="v1",
    kind="Build",
    namespaced=True,
    identity=(NAMESPACE, name_label("build"), ("buildconfig", _build_config), ("strategy", _strategy)),
    families=(
        gauge(
            "openshift_build_created_timestamp_seconds", "Creation time of the build in Unix seconds (metadata.creationTimestamp).",
            ALPHA, _time_or_zero("metadata.creationTimestamp"),
        ),
        gauge(
            "openshift_build_metadata_generation_info", "Generation of the desired state (metadata.generation).",
            ALPHA, count("metadata.generation"),
        ),
        _labels_family("build"),
        gauge(
            "openshift_build_status_phase_total", "1 for the current phase, 0 for the others (status.phase).",
            ALPHA, _build_phases, "build_phase",
        ),
        gauge(
            "openshift_build_start_timestamp_seconds", "Start of the build in Unix seconds, 0 before it (status.startTimestamp).",
            ALPHA, _time_or_zero("status.startTimestamp"),
        ),
        gauge(
            "openshift_build_completed_timestamp_seconds", "End of the build in Unix seconds, 0 before it (status.completionTimestamp).",
            ALPHA, _time_or_zero("status.completionTimestamp"),
        ),
        gauge("openshift_build_duration_seconds", "Duration of the build in whole seconds (status.duration).", ALPHA, _build_duration),
        gauge(
            "openshift_build_status_reason", "One series for the reason of the phase, always 1 (status.reason).",
            ALPHA, _build_reason, "reason",
        ),
    ),
    reads=("spec.strategy.type", "status.phase", "status.startTimestamp", "status.completionTimestamp", "status.duration", "status.reason"),
)

BUILD_CONFIGS = Resource(
    name="buildconfigs",
    group="build.openshift.io",
    version="v1",
    kind="BuildConfig",
    namespaced=True,
    identity=(NAMESPACE, name_label("buildconfig")),
    families=(
        gauge(
            "openshift_buildconfig_created", "Creation time of the build config in Unix seconds (metadata.creationTimestamp).",
            ALPHA, _time_or_zero("metadata.creationTimestamp"),
        ),
        gauge(
            "openshift_buildconfig_metadata_generation", "Generation of the desired state (metadata.generation).",
            ALPHA, count("metadata.generation"),
        ),
        _labels_family("buildconfig"),
        gauge(
            "openshift_buildconfig_status_latest_version", "Number of the last build (status.lastVersion).",
            ALPHA, count("status.lastVersion"),
        ),
    ),
    reads=("status.lastVersion",),
)

# --- deployment configs

_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_replicas, _rolling = count("spec.replicas"), at("spec.strategy.rollingParams")


def _rolling_limit(field: str) -> Generate:
    """Make the number of pods of a limit: a number, or a percentage of the replicas, rounded up. Any text is a percentage."""

    def generate(obj: Object) -> int | None:
        limit = (_rolling(obj) or {}).get(field)
        if isinstance(limit, str):
            percent, replicas = limit.replace("%", ""), int(_replicas(obj))
            # int() alone accepts spaces, underscores and digits of other scripts.
            if not _WHOLE_NUMBER.fullmatch(percent):
                raise ValueError(f"not a percentage: {limit[:40]!r}")
            return math.ceil(int(percent) * replicas / 100)
        return None if limit is None else int(limit)

    return generate


def _config_gauge(name: str, help: str, path: str) -> FamilyGenerator:
    return gauge(f"openshift_deploymentconfig_{name}", f"{help} ({path}).", ALPHA, count(path))


def _condition_row(condition: Object) -> list[Row]:
    return [(condition.get("type") or "", label, condition.get("status") == status) for label, status in STATUSES]


def _config_conditions(obj: Object) -> Iterable[Row]:
    return [row for condition in items("status.conditions")(obj) for row in _condition_row(condition)]


DEPLOYMENT_CONFIGS = Resource(
    name="deploymentconfigs",
    group="apps.openshift.io",
    version="v1",
    kind="DeploymentConfig",
    namespaced=True,
    identity=(NAMESPACE, name_label("deploymentconfig")),
    families=(
        _created("deploymentconfig"),
        _config_gauge("status_replicas", "Pods of the deployment config", "status.replicas"),
        _config_gauge("status_replicas_available", "Available pods", "status.availableReplicas"),
        _config_gauge("status_replicas_unavailable", "Unavailable pods", "status.unavailableReplicas"),
        _config_gauge("status_replicas_updated", "Pods of the latest template", "status.updatedReplicas"),
        _config_gauge("status_observed_generation", "Generation that the controller last processed", "status.observedGeneration"),
        _config_gauge("spec_replicas", "Desired pods", "spec.replicas"),
        _config_gauge("spec_paused", "1 while rollouts are paused", "spec.paused"),
        gauge(
            "openshift_deploymentconfig_spec_strategy_rollingupdate_max_unavailable",
            "Pods that may be unavailable during a rollout (spec.strategy.rollingParams.maxUnavailable).",
            ALPHA, _rolling_limit("maxUnavailable"),
        ),
        gauge(
            "openshift_deploymentconfig_spec_strategy_rollingupdate_max_surge",
            "Pods above the desired number during a rollout (spec.strategy.rollingParams.maxSurge).", ALPHA, _rolling_limit("maxSurge"),
        ),
        _config_gauge("metadata_generation", "Generation of the desired state", "metadata.generation"),
        _labels_family("deploymentconfig"),
        gauge(
            "openshift_deploymentconfig_status_condition",
            "1 on the current status of each condition, 0 on the other two (status.conditions).",
            ALPHA, _config_conditions, "condition", "status",
        ),
        _config_gauge("status_replicas_ready", "Ready pods", "status.readyReplicas"),
        gauge(
            "openshift_deploymentconfig_owner",
            "One series per owner, always 1; labels are empty if there is none (metadata.ownerReferences).",
            ALPHA, owner_rows, "owner_kind", "owner_name", "owner_is_controller",
        ),
    ),
    reads=("spec.replicas", "spec.paused", "spec.strategy.rollingParams", "status"),
)

# --- quotas


def _amounts(hard: Mapping[str, Any], used: Mapping[str, Any]) -> Iterable[tuple[str, str, float]]:
    for kind, amounts in (("hard", hard), ("used", used)):
        for resource, amount in amounts.items():
            yield resource, kind, milli_in_range(amount)


def _usage(obj: Object) -> Iterable[Row]:
    return list(_amounts(_hard(obj), _used(obj)))


def _namespace_usage(obj: Object) -> Iterable[Row]:
    return [
        (one.get("namespace") or "", *amount)
        for one in items("status.namespaces")(obj)
        for amount in _amounts((one.get("status") or {}).get("hard") or {}, (one.get("status") or {}).get("used") or {})
    ]


def _selector(obj: Object) -> Iterable[Row]:
    """Make rows of two shapes: a key with its value, or an expression with its operator and values."""
    labels = at("spec.selector.labels", {})(obj)
    pairs = (("annotation", at("spec.selector.annotations", {})(obj)), ("match-labels", labels.get("matchLabels") or {}))
    rows: list[Row] = [((("type", kind), ("key", key), ("value", value)), 1) for kind, values in pairs for key, value in values.items()]
    for one in labels.get("matchExpressions") or ():
        values = ",".join(one.get("values") or ())
        expression = (("operator", one.get("operator") or ""), ("key", one.get("key") or ""), ("values", values))
        rows.append(((("type", "match-expressions"), *expression), 1))
    return rows


QUOTAS = Resource(
    name="clusterresourcequotas",
    group="quota.openshift.io",
    version="v1",
    kind="ClusterResourceQuota",
    namespaced=False,
    identity=(name_label("name"),),
    families=(
        _created("clusterresourcequota"),
        _labels_family("clusterresourcequota"),
        gauge(
            "openshift_clusterresourcequota_usage",
            "Limit and use of each resource in all namespaces (spec.quota.hard, status.total.used).",
            ALPHA, _usage, "resource", "type",
        ),
        gauge(
            "openshift_clusterresourcequota_namespace_usage", "Limit and use of each resource by namespace (status.namespaces[].status).",
            ALPHA, _namespace_usage, "namespace", "resource", "type",
        ),
        dynamic(
            "openshift_clusterresourcequota_selector", "One series per condition on the namespaces, always 1 (spec.selector).",
            ALPHA, _selector, "type", "key", "value", "operator", "values",
        ),
    ),
    reads=("spec.quota.hard", "spec.selector", "status"),
)


GROUPS = Resource(
    name="groups",
    group="user.openshift.io",
    version="v1",
    kind="Group",
    namespaced=False,
    identity=(name_label("group"),),
    families=(
        _created("group"),
        gauge(
            "openshift_group_user_account", "One series per user of the group, always 1 (users).",
            ALPHA, each("users", lambda user: (user, 1)), "user",
        ),
    ),
    reads=("users",),
)

PACK = Pack(
    "openshift",
    "Routes, builds, deployment configs, quotas and groups of OpenShift, with the families of openshift-state-metrics.",
    tuple(map(PackResource, (ROUTES, BUILDS, BUILD_CONFIGS, DEPLOYMENT_CONFIGS, QUOTAS, GROUPS))),
)
