"""Constructors of families that many resources share; `prefix` is `kube_` and the lower-case kind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite

from telegen.kubestate.fields import at, count, each, items, labelled, time_at
from telegen.metrics.family import ALPHA, STABLE, FamilyGenerator, Generate, Object, Row, Stability, gauge, no_samples

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

STATUSES = (("true", "True"), ("false", "False"), ("unknown", "Unknown"))
"""Label value and API value of each status of a condition."""


def _kind(prefix: str) -> str:
    """Return the kind in a prefix: `pod` of `kube_pod`."""
    return prefix.partition("_")[2]


def created(prefix: str, stability: Stability = STABLE) -> FamilyGenerator:
    return gauge(
        f"{prefix}_created",
        f"Creation time of the {_kind(prefix)} in Unix seconds (metadata.creationTimestamp).",
        stability,
        time_at("metadata.creationTimestamp"),
    )


def exists(prefix: str, stability: Stability = ALPHA) -> FamilyGenerator:
    """Make an info family without labels of its own, for counting objects."""
    return gauge(f"{prefix}_info", f"One series per {_kind(prefix)}, always 1 (metadata.name).", stability, lambda obj: 1)


def deletion_timestamp(prefix: str, name: str = "deletion_timestamp", stability: Stability = ALPHA) -> FamilyGenerator:
    return gauge(
        f"{prefix}_{name}",
        f"End of the grace period of a {_kind(prefix)} that is being deleted, in Unix seconds (metadata.deletionTimestamp).",
        stability,
        time_at("metadata.deletionTimestamp"),
    )


def generation(prefix: str, stability: Stability = STABLE) -> FamilyGenerator:
    return gauge(
        f"{prefix}_metadata_generation",
        "Generation of the desired state; each change of the spec adds 1 (metadata.generation).",
        stability,
        count("metadata.generation"),
    )


def observed_generation(prefix: str) -> FamilyGenerator:
    return gauge(
        f"{prefix}_status_observed_generation",
        "Generation that the controller last processed (status.observedGeneration).",
        STABLE,
        count("status.observedGeneration"),
    )


def resource_version(prefix: str, stability: Stability = ALPHA) -> FamilyGenerator:
    """Make the family of metadata.resourceVersion. An object whose version is no number has no series."""
    read = at("metadata.resourceVersion", "")

    def generate(obj: Object) -> float | None:
        version = read(obj)
        if len(version) < 20 and version.isascii() and version.isdigit():
            # PERF: the usual form; an integer becomes text in half the time of a float.
            return int(version)
        if _NUMBER.fullmatch(version):
            # The peer uses ParseFloat; other servers than etcd may have such versions.
            number = float(version)
            return number if isfinite(number) else None
        return None

    return gauge(
        f"{prefix}_metadata_resource_version",
        f"Version of the {_kind(prefix)} in the API server, for comparison only (metadata.resourceVersion).",
        stability,
        generate,
    )


def allowed_labels(prefix: str, stability: Stability = STABLE, kind: str = "") -> FamilyGenerator:
    """Make the family of the labels that `labels_allowlist` allows; `kind` is that of the prefix, if it is not given."""
    return _selected(f"{prefix}_labels", "labels", "label_*", kind or _kind(prefix), stability)


def allowed_annotations(prefix: str, stability: Stability = ALPHA, kind: str = "") -> FamilyGenerator:
    """Make the family of the annotations that `annotations_allowlist` allows; `kind` is that of the prefix, if it is not given."""
    return _selected(f"{prefix}_annotations", "annotations", "annotation_*", kind or _kind(prefix), stability)


def _selected(name: str, field: str, label: str, kind: str, stability: Stability) -> FamilyGenerator:
    help = f"One series per {kind}, always 1; each allowlisted entry as a label {label} (metadata.{field})."
    # `selectors` replaces the generate function where the configuration has an allowlist for the resource.
    return FamilyGenerator(name, help, "gauge", stability, no_samples, (label,), dynamic=True, selects=field)


_owners = items("metadata.ownerReferences")


def owner_rows(obj: Object) -> Iterable[Row]:
    """Return (kind, name, is controller, 1) of each owner, or one row of empty labels if there is none."""
    owners = _owners(obj)
    if not owners:
        return (("", "", "", 1),)
    return [
        (ref.get("kind") or "", ref.get("name") or "", "true" if ref.get("controller") else "false", 1)
        for ref in owners
    ]


def owner(prefix: str, stability: Stability = STABLE) -> FamilyGenerator:
    return gauge(
        f"{prefix}_owner",
        f"One series per owner of the {_kind(prefix)}, always 1; labels are empty if there is none (metadata.ownerReferences).",
        stability,
        owner_rows,
        "owner_kind",
        "owner_name",
        "owner_is_controller",
    )


def condition_rows(type_: str) -> Generate:
    """Return a generate function of three rows (true, false, unknown) for each condition of one type."""
    read = items("status.conditions")

    def generate(obj: Object) -> Iterable[Row]:
        return [
            (label, condition.get("status") == status)
            for condition in read(obj)
            if condition.get("type") == type_
            for label, status in STATUSES
        ]

    return generate


def conditions(prefix: str, stability: Stability = STABLE) -> FamilyGenerator:
    """Make the family of status.conditions: three samples for each condition, 1 on its current status."""
    read = items("status.conditions")

    def generate(obj: Object) -> Iterable[Row]:
        return [
            (condition.get("type") or "", label, condition.get("status") == status)
            for condition in read(obj)
            for label, status in STATUSES
        ]

    return gauge(
        f"{prefix}_status_condition",
        "1 on the current status of each condition, 0 on the other two (status.conditions[].status).",
        stability,
        generate,
        "condition",
        "status",
    )


def role_binding(prefix: str) -> FamilyGenerator:
    """Make the info family of a binding of a role."""
    return gauge(
        f"{prefix}_info",
        f"One series per {_kind(prefix)}, always 1; kind and name of the role that is granted (roleRef.kind, roleRef.name).",
        ALPHA,
        labelled("roleRef.kind", "roleRef.name"),
        "roleref_kind",
        "roleref_name",
    )


def policy_binding(prefix: str) -> FamilyGenerator:
    """Make the info family of a binding of an admission policy."""
    return gauge(
        f"{prefix}_info",
        f"One series per {_kind(prefix)}, always 1; name of the policy and reference to its parameters (spec.policyName, spec.paramRef).",
        ALPHA,
        labelled(
            "spec.policyName",
            "spec.paramRef.name",
            "spec.paramRef.namespace",
            "spec.paramRef.parameterNotFoundAction",
        ),
        "policy_name",
        "param_name",
        "param_namespace",
        "param_not_found_action",
    )


def webhook_services(prefix: str) -> FamilyGenerator:
    """Make the family of the services of webhooks. The labels are empty for a webhook with a URL."""

    def service(webhook: Object) -> Row:
        service = (webhook.get("clientConfig") or {}).get("service") or {}
        return webhook.get("name") or "", service.get("name") or "", service.get("namespace") or "", 1

    return gauge(
        f"{prefix}_webhook_clientconfig_service",
        "One series per webhook, always 1; service that it calls, empty for a URL (webhooks[].clientConfig.service).",
        ALPHA,
        each("webhooks", service),
        "webhook_name",
        "service_name",
        "service_namespace",
    )
