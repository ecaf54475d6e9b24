"""Nodes: core/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, conditions, created, deletion_timestamp
from telegen.kubestate.fields import at, count, each, items, one_of, text
from telegen.kubestate.quantity import milli, resource_classes
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, Generate, Object, Row, gauge

ROLE = "node-role.kubernetes.io/"

_software = [
    text(f"status.nodeInfo.{name}") for name in ("kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion")
]
_location = [text(path) for path in ("spec.providerID", "spec.podCIDR", "status.nodeInfo.systemUUID")]
_addresses, _labels = items("status.addresses"), at("metadata.labels", {})


def info(obj: Object) -> Iterable[Row]:
    """Return versions, IDs and the internal IP. The API no longer has the version of kube-proxy: its label is constant."""
    # The last address counts, as in kube-state-metrics.
    internal = [entry.get("address") or "" for entry in _addresses(obj) if entry.get("type") == "InternalIP"]
    software, location = [read(obj) for read in _software], [read(obj) for read in _location]
    return [(*software, "deprecated", *location, internal[-1] if internal else "", 1)]


def amounts(path: str) -> Generate:
    """Make a generate function of a row per resource, rounded to thousandths, `pods` included."""
    read = at(path, {})

    def generate(obj: Object) -> Iterable[Row]:
        return [
            (*known, milli(quantity))
            for name, quantity in read(obj).items()
            # kube-state-metrics exposes `pods` for nodes only, so `resource_classes` does not know it.
            for known in (resource_classes(name) if name != "pods" else PODS)
        ]

    return generate


PODS = (("pods", "integer"),)
"""Labels of the resource `pods`, the maximum number of pods."""


FAMILIES = (
    allowed_annotations("kube_node"),
    created("kube_node"),
    deletion_timestamp("kube_node"),
    gauge(
        "kube_node_info",
        "One series per node, always 1; software versions, provider ID, pod CIDR, system UUID and last internal IP "
        "(status.nodeInfo, spec.providerID, spec.podCIDR, status.addresses).",
        STABLE, info, "kernel_version", "os_image", "container_runtime_version", "kubelet_version", "kubeproxy_version",
        "provider_id", "pod_cidr", "system_uuid", "internal_ip",
    ),
    allowed_labels("kube_node"),
    gauge(
        "kube_node_role",
        "One series per label with the prefix node-role.kubernetes.io/, always 1; role is the rest of its key (metadata.labels).", ALPHA,
        lambda obj: [(key[len(ROLE) :], 1) for key in _labels(obj) if key.startswith(ROLE)], "role",
    ),
    gauge(
        "kube_node_spec_pod_cidrs", "One series per CIDR range of pod addresses, always 1 (spec.podCIDRs).", ALPHA,
        each("spec.podCIDRs", lambda cidr: (cidr, 1)), "pod_cidr",
    ),
    gauge(
        "kube_node_spec_taint", "One series per taint, always 1 (spec.taints).", STABLE,
        each("spec.taints", lambda taint: (taint.get("key") or "", taint.get("value") or "", taint.get("effect") or "", 1)),
        "key", "value", "effect",
    ),
    gauge(
        "kube_node_spec_unschedulable", "1 if the node accepts no new pods (cordoned), 0 if it does (spec.unschedulable).", STABLE,
        count("spec.unschedulable"),
    ),
    gauge(
        "kube_node_status_allocatable",
        "Amount of each resource that pods may request, in the unit of the label unit (status.allocatable).", STABLE,
        amounts("status.allocatable"), "resource", "unit",
    ),
    gauge(
        "kube_node_status_capacity", "Total amount of each resource, in the unit of the label unit (status.capacity).", STABLE,
        amounts("status.capacity"), "resource", "unit",
    ),
    conditions("kube_node"),
    gauge(
        "kube_node_status_addresses", "One series per address, always 1 (status.addresses).", ALPHA,
        each("status.addresses", lambda entry: (entry.get("type") or "", entry.get("address") or "", 1)), "type", "address",
    ),
    gauge(
        "kube_node_status_phase", "1 on the current phase, 0 on the others; the API no longer sets it (status.phase).", ALPHA,
        one_of("status.phase", ("Pending", "Running", "Terminated")), "phase",
    ),
)

RESOURCE = Resource(
    name="nodes",
    group="",
    version="v1",
    kind="Node",
    namespaced=False,
    identity=(name_label("node"),),
    families=FAMILIES,
    reads=(
        "spec",
        *[f"status.{field}" for field in ("addresses", "allocatable", "capacity", "conditions", "nodeInfo", "phase")],
    ),
)
