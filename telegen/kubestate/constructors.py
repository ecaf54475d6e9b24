"""Families that many kinds have: made here once, put into each table by a call."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite

from telegen.kubestate.fields import at, count, each, items, labelled, time_at
from telegen.metrics.family import ALPHA, STABLE, FamilyGenerator, Generate, Object, Row, Stability, gauge, silent

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

STATUSES = (("true", "True"), ("false", "False"), ("unknown", "Unknown"))
"""Label value and API value of a condition's three states."""


def _kind(prefix: str) -> str:
    """`kube_pod` in words: `pod`."""
    return prefix.partition("_")[2]


def created(prefix: str, stability: Stability = STABLE) -> FamilyGenerator:
    """metadata.creationTimestamp."""
    return gauge(
        f"{prefix}_created",
        f"When the {_kind(prefix)} was created, in Unix seconds.",
        stability,
        time_at("metadata.creationTimestamp"),
    )


def exists(prefix: str, stability: Stability = ALPHA) -> FamilyGenerator:
    """Always 1: counts objects."""
    return gauge(f"{prefix}_info", f"Says that the {_kind(prefix)} is there.", stability, lambda obj: 1)


def deletion_timestamp(prefix: str, name: str = "deletion_timestamp", stability: Stability = ALPHA) -> FamilyGenerator:
    """metadata.deletionTimestamp."""
    return gauge(
        f"{prefix}_{name}",
        f"When the {_kind(prefix)} is to be gone, in Unix seconds, once its deletion was asked for.",
        stability,
        time_at("metadata.deletionTimestamp"),
    )


def generation(prefix: str, stability: Stability = STABLE) -> FamilyGenerator:
    """metadata.generation."""
    return gauge(
        f"{prefix}_metadata_generation",
        "How often the desired state was changed.",
        stability,
        count("metadata.generation"),
    )


def resource_version(prefix: str, stability: Stability = ALPHA) -> FamilyGenerator:
    """metadata.resourceVersion, where it is a number."""
    read = at("metadata.resourceVersion", "")

    def generate(obj: Object) -> float | None:
        version = read(obj)
        if len(version) < 20 and version.isascii() and version.isdigit():
            # PERF: the usual form; an integer becomes text in half the time of a float.
            return int(version)
        if _NUMBER.fullmatch(version):
            number = float(version)
            return number if isfinite(number) else None
        return None

    return gauge(
        f"{prefix}_metadata_resource_version", f"Version of the {_kind(prefix)} in the API.", stability, generate
    )


def allowed_labels(prefix: str, stability: Stability = STABLE) -> FamilyGenerator:
    """metadata.labels, those that the configuration allows."""
    return _selected(f"{prefix}_labels", "labels", "label_*", _kind(prefix), stability)


def allowed_annotations(prefix: str, stability: Stability = ALPHA) -> FamilyGenerator:
    """metadata.annotations, those that the configuration allows."""
    return _selected(f"{prefix}_annotations", "annotations", "annotation_*", _kind(prefix), stability)


def _selected(name: str, what: str, label: str, kind: str, stability: Stability) -> FamilyGenerator:
    help = f"Allowlisted {what} of the {kind}."
    return FamilyGenerator(name, help, "gauge", stability, silent, (label,), dynamic=True, selects=what)


_owners = items("metadata.ownerReferences")


def owner_rows(obj: Object) -> Iterable[Row]:
    """(kind, name, is controller) of each owner; one row of empty labels when there is none."""
    owners = _owners(obj)
    if not owners:
        return (("", "", "", 1),)
    return [
        (ref.get("kind") or "", ref.get("name") or "", "true" if ref.get("controller") else "false", 1)
        for ref in owners
    ]


def owner(prefix: str, stability: Stability = STABLE) -> FamilyGenerator:
    """metadata.ownerReferences."""
    return gauge(
        f"{prefix}_owner",
        f"Who owns the {_kind(prefix)}.",
        stability,
        owner_rows,
        "owner_kind",
        "owner_name",
        "owner_is_controller",
    )


def condition_rows(type_: str) -> Generate:
    """A generate function: (true | false | unknown) rows of the conditions of one type."""
    read = items("status.conditions")

    def generate(obj: Object) -> Iterable[Row]:
        return [
            (label, condition.get("status") == status)
            for condition in read(obj)
            if condition.get("type") == type_
            for label, status in STATUSES
        ]

    return generate


def conditions(name: str, help: str, stability: Stability = STABLE) -> FamilyGenerator:
    """status.conditions: three samples for each, 1 on its state."""
    read = items("status.conditions")

    def generate(obj: Object) -> Iterable[Row]:
        return [
            (condition.get("type") or "", label, condition.get("status") == status)
            for condition in read(obj)
            for label, status in STATUSES
        ]

    return gauge(name, help, stability, generate, "condition", "status")


def policy_binding(prefix: str) -> FamilyGenerator:
    """What an admission policy's binding binds: spec.policyName and spec.paramRef."""
    return gauge(
        f"{prefix}_info",
        "Which policy is bound, with which parameters.",
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
    """webhooks: the service of each, empty for those that have a URL."""

    def service(webhook: Object) -> Row:
        service = (webhook.get("clientConfig") or {}).get("service") or {}
        return webhook.get("name") or "", service.get("name") or "", service.get("namespace") or "", 1

    return gauge(
        f"{prefix}_webhook_clientconfig_service",
        "Services that are asked.",
        ALPHA,
        each("webhooks", service),
        "webhook_name",
        "service_name",
        "service_namespace",
    )
