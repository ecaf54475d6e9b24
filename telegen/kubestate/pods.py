"""Pods: core/v1, https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ ."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from telegen.kubestate import pod_containers as containers
from telegen.kubestate.constructors import (
    allowed_annotations,
    allowed_labels,
    condition_rows,
    created,
    deletion_timestamp,
    owner,
)
from telegen.kubestate.fields import at, each, items, labelled, one_of, seconds, text, time_at
from telegen.kubestate.quantity import milli, whole
from telegen.kubestate.resource import Resource
from telegen.metrics.family import ALPHA, STABLE, FamilyGenerator, Generate, Object, Row, counter, gauge
from telegen.metrics.keys import label_pairs

SPECS, STATUSES = "spec.containers", "status.containerStatuses"
INIT_SPECS, INIT_STATUSES = "spec.initContainers", "status.initContainerStatuses"

STATUS_REASONS = frozenset(
    {
        "Evicted",
        "NodeAffinity",
        "NodeLost",
        "PreemptionByScheduler",
        "SchedulingGated",
        "Shutdown",
        "TerminationByKubelet",
        "UnexpectedAdmissionError",
    }
)
DISRUPTION_REASONS = frozenset(
    {"PreemptionByScheduler", "DeletionByTaintManager", "EvictionByEvictionAPI", "DeletionByPodGC", "TerminationByKubelet"}
)

pod_name = text("metadata.name")
_info = [text(path) for path in ("status.hostIP", "status.podIP", "spec.nodeName")]
_priority_class, _host_network = text("spec.priorityClassName"), at("spec.hostNetwork", False)
_owners, _conditions, _statuses = items("metadata.ownerReferences"), items("status.conditions"), items(STATUSES)
_volumes, _tolerations, _claims = items("spec.volumes"), items("spec.tolerations"), items("spec.resourceClaims")
_claim_statuses, _reason = items("status.resourceClaimStatuses"), text("status.reason")
_node_selector = at("spec.nodeSelector", {})


def info(obj: Object) -> Iterable[Row]:
    """Addresses, node, controller and class."""
    controller: dict[str, Any] = next((ref for ref in _owners(obj) if ref.get("controller")), {})
    by = (controller.get("kind") or "", controller.get("name") or "")
    network = "true" if _host_network(obj) else "false"
    return [(*[read(obj) for read in _info], *by, _priority_class(obj), network, 1)]


@lru_cache(maxsize=16384)
def _ip_family(address: str) -> str:
    """`4` or `6`, "" for what is no address. PERF: parsing takes 2 us."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    mapped = isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None
    return "4" if mapped else str(parsed.version)


def _ip_row(entry: dict[str, Any]) -> Row | None:
    address = entry.get("ip") or ""
    family = _ip_family(address)
    return (address, family, 1) if family else None


def completion_time(obj: Object) -> int | None:
    """The latest end of a terminated container."""
    ends = [
        seconds(terminated.get("finishedAt"))
        for status in _statuses(obj)
        if (terminated := (status.get("state") or {}).get("terminated")) is not None
    ]
    latest = max(ends, default=0)
    return latest if latest > 0 else None


def overhead(resource: str, convert: Any) -> Generate:
    """spec.overhead of one resource."""
    read = at(f"spec.overhead.{resource}")

    def generate(obj: Object) -> Any:
        quantity = read(obj)
        return None if quantity is None else convert(quantity)

    return generate


def _claim(volume: dict[str, Any], pod: str) -> tuple[str, str, str, bool] | None:
    """(volume, claim, is ephemeral, is read-only) of a volume that stands for a claim."""
    name, claim = volume.get("name") or "", volume.get("persistentVolumeClaim")
    if claim is not None:
        return name, claim.get("claimName") or "", "false", claim.get("readOnly") or False
    return (name, f"{pod}-{name}", "true", False) if volume.get("ephemeral") is not None else None


def claims(obj: Object) -> Iterable[Row]:
    """Volumes that stand for a claim."""
    return [(*found[:3], 1) for volume in _volumes(obj) if (found := _claim(volume, pod_name(obj)))]


def claims_read_only(obj: Object) -> Iterable[Row]:
    """The same, with whether they are mounted read-only."""
    return [found for volume in _volumes(obj) if (found := _claim(volume, pod_name(obj)))]


def resource_claims(obj: Object) -> Iterable[Row]:
    """Claims of dynamic resources, by name or by template; the name that a template led to once it is known."""
    resolved = {status.get("name"): status.get("resourceClaimName") or "" for status in _claim_statuses(obj)}
    rows = []
    for claim in _claims(obj):
        name, direct, template = claim.get("name") or "", claim.get("resourceClaimName"), claim.get("resourceClaimTemplateName")
        if direct is not None or template is not None:
            rows.append((name, direct if direct is not None else resolved.get(name, ""), template or "", 1))
    return rows


def condition_time(type_: str, status: str) -> Generate:
    """When the condition of a type last changed to `status`."""

    def generate(obj: Object) -> int | None:
        for condition in _conditions(obj):
            if condition.get("type") == type_ and condition.get("status") == status:
                return seconds(condition.get("lastTransitionTime"))
        return None

    return generate


def status_reasons(obj: Object) -> Iterable[Row]:
    """Known reasons, wherever the status names them; `Other` for an unknown one of the pod itself."""
    own = _reason(obj)
    named = [condition.get("reason") for condition in _conditions(obj)]
    named += [((status.get("state") or {}).get("terminated") or {}).get("reason") for status in _statuses(obj)]
    rows = [(reason, 1) for reason in (own, *named) if reason in STATUS_REASONS]
    return [*rows, ("Other", 1)] if own and own not in STATUS_REASONS else rows


def disruption_reasons(obj: Object) -> Iterable[Row]:
    """Why the pod is to be disrupted."""
    reasons = [condition.get("reason") for condition in _conditions(obj) if condition.get("type") == "DisruptionTarget"]
    return [(reason if reason in DISRUPTION_REASONS else "Other", 1) for reason in reasons]


def unschedulable(obj: Object) -> int | None:
    """1 when the scheduler found no node."""
    unscheduled = any(
        condition.get("type") == "PodScheduled" and condition.get("status") == "False" for condition in _conditions(obj)
    )
    return 1 if unscheduled else None


def _toleration(entry: dict[str, Any]) -> Row:
    after = entry.get("tolerationSeconds")
    texts = [entry.get(key) or "" for key in ("key", "operator", "value", "effect")]
    return (*texts, "" if after is None else str(int(after)), 1)


def node_selectors(obj: Object) -> Iterable[Row]:
    """spec.nodeSelector as labels."""
    return [(label_pairs(_node_selector(obj), "nodeselector_"), 1)]


FAMILIES = (
    gauge("kube_pod_completion_time", "When the last container ended, in Unix seconds.", STABLE, completion_time),
    gauge(
        "kube_pod_container_info", "Images and id of a container.", STABLE, containers.info(SPECS, STATUSES, False),
        "container", "image_spec", "image", "image_id", "container_id",
    ),
    gauge(
        "kube_pod_container_resource_limits", "Most that a container may use of a resource.", STABLE,
        containers.resources(SPECS, "limits"), "container", "node", "resource", "unit",
    ),
    gauge(
        "kube_pod_container_resource_requests", "What a container asks for of a resource.", STABLE,
        containers.resources(SPECS, "requests"), "container", "node", "resource", "unit",
    ),
    gauge(
        "kube_pod_container_state_started", "When a container started, in Unix seconds.", STABLE,
        containers.started(STATUSES), "container",
    ),
    gauge(
        "kube_pod_container_status_last_terminated_reason", "Why a container ended the last time.", ALPHA,
        containers.reason(STATUSES, "terminated", "lastState"), "container", "reason",
    ),
    gauge(
        "kube_pod_container_status_last_terminated_exitcode", "Exit code of a container's last end.", ALPHA,
        containers.last_exit_code(STATUSES), "container",
    ),
    gauge(
        "kube_pod_container_status_last_terminated_timestamp", "When a container ended the last time, in Unix seconds.", ALPHA,
        containers.last_finished(STATUSES), "container",
    ),
    gauge(
        "kube_pod_container_status_ready", "Whether a container passes its readiness check.", STABLE,
        containers.ready(STATUSES), "container",
    ),
    counter(
        "kube_pod_container_status_restarts_total", "How often a container was started again.", STABLE,
        containers.restarts(STATUSES), "container",
    ),
    gauge(
        "kube_pod_container_status_running", "Whether a container runs.", STABLE,
        containers.in_state(STATUSES, "running"), "container",
    ),
    gauge(
        "kube_pod_container_status_terminated", "Whether a container has ended.", STABLE,
        containers.in_state(STATUSES, "terminated"), "container",
    ),
    gauge(
        "kube_pod_container_status_terminated_reason", "Why a container has ended.", ALPHA,
        containers.reason(STATUSES, "terminated"), "container", "reason",
    ),
    gauge(
        "kube_pod_container_status_waiting", "Whether a container waits.", STABLE,
        containers.in_state(STATUSES, "waiting"), "container",
    ),
    gauge(
        "kube_pod_container_status_waiting_reason", "Why a container waits.", STABLE,
        containers.reason(STATUSES, "waiting"), "container", "reason",
    ),
    created("kube_pod"),
    deletion_timestamp("kube_pod"),
    gauge(
        "kube_pod_info", "Where a pod runs, and for whom.", STABLE, info,
        "host_ip", "pod_ip", "node", "created_by_kind", "created_by_name", "priority_class", "host_network",
    ),
    gauge("kube_pod_ips", "Addresses of a pod.", ALPHA, each("status.podIPs", _ip_row), "ip", "ip_family"),
    gauge(
        "kube_pod_init_container_info", "Images and id of an init container.", STABLE,
        containers.info(INIT_SPECS, INIT_STATUSES, True),
        "container", "image_spec", "image", "image_id", "container_id", "restart_policy",
    ),
    gauge(
        "kube_pod_init_container_resource_limits", "Most that an init container may use of a resource.", ALPHA,
        containers.resources(INIT_SPECS, "limits"), "container", "node", "resource", "unit",
    ),
    gauge(
        "kube_pod_init_container_resource_requests", "What an init container asks for of a resource.", ALPHA,
        containers.resources(INIT_SPECS, "requests"), "container", "node", "resource", "unit",
    ),
    gauge(
        "kube_pod_init_container_state_started", "When an init container started, in Unix seconds.", ALPHA,
        containers.started(INIT_STATUSES), "container",
    ),
    gauge(
        "kube_pod_init_container_status_last_terminated_reason", "Why an init container ended the last time.", ALPHA,
        containers.reason(INIT_STATUSES, "terminated", "lastState"), "container", "reason",
    ),
    gauge(
        "kube_pod_init_container_status_last_terminated_exitcode", "Exit code of an init container's last end.", ALPHA,
        containers.last_exit_code(INIT_STATUSES), "container",
    ),
    gauge(
        "kube_pod_init_container_status_last_terminated_timestamp", "When an init container ended the last time, in Unix seconds.",
        ALPHA, containers.last_finished(INIT_STATUSES), "container",
    ),
    gauge(
        "kube_pod_init_container_status_ready", "Whether an init container has done its work.", STABLE,
        containers.ready(INIT_STATUSES), "container",
    ),
    counter(
        "kube_pod_init_container_status_restarts_total", "How often an init container was started again.", STABLE,
        containers.restarts(INIT_STATUSES), "container",
    ),
    gauge(
        "kube_pod_init_container_status_running", "Whether an init container runs.", STABLE,
        containers.in_state(INIT_STATUSES, "running"), "container",
    ),
    gauge(
        "kube_pod_init_container_status_terminated", "Whether an init container has ended.", STABLE,
        containers.in_state(INIT_STATUSES, "terminated"), "container",
    ),
    gauge(
        "kube_pod_init_container_status_terminated_reason", "Why an init container has ended.", ALPHA,
        containers.reason(INIT_STATUSES, "terminated"), "container", "reason",
    ),
    gauge(
        "kube_pod_init_container_status_waiting", "Whether an init container waits.", STABLE,
        containers.in_state(INIT_STATUSES, "waiting"), "container",
    ),
    gauge(
        "kube_pod_init_container_status_waiting_reason", "Why an init container waits.", ALPHA,
        containers.reason(INIT_STATUSES, "waiting"), "container", "reason",
    ),
    allowed_annotations("kube_pod"),
    allowed_labels("kube_pod"),
    gauge("kube_pod_overhead_cpu_cores", "Cores that running the pod takes besides its containers.", ALPHA, overhead("cpu", milli)),
    gauge(
        "kube_pod_overhead_memory_bytes", "Memory that running the pod takes besides its containers.", ALPHA,
        overhead("memory", whole),
    ),
    owner("kube_pod"),
    gauge(
        "kube_pod_resourceclaim_info", "Claims of dynamic resources.", ALPHA, resource_claims,
        "claim_name", "resourceclaim_name", "resourceclaim_template_name",
    ),
    gauge("kube_pod_restart_policy", "When containers are started again.", STABLE, labelled("spec.restartPolicy"), "type"),
    gauge(
        "kube_pod_runtimeclass_name_info", "The runtime class that the pod asks for.", ALPHA,
        lambda obj: labelled("spec.runtimeClassName")(obj) if at("spec.runtimeClassName")(obj) is not None else None,
        "runtimeclass_name",
    ),
    gauge(
        "kube_pod_spec_volumes_persistentvolumeclaims_info", "Volumes that stand for a claim.", STABLE, claims,
        "volume", "persistentvolumeclaim", "ephemeral",
    ),
    gauge(
        "kube_pod_spec_volumes_persistentvolumeclaims_readonly", "Whether such a volume is mounted read-only.", STABLE,
        claims_read_only, "volume", "persistentvolumeclaim", "ephemeral",
    ),
    gauge("kube_pod_start_time", "When the kubelet took the pod, in Unix seconds.", STABLE, time_at("status.startTime")),
    gauge(
        "kube_pod_status_phase", "Which phase of its life the pod is in.", STABLE,
        one_of("status.phase", ("Pending", "Succeeded", "Failed", "Unknown", "Running")), "phase",
    ),
    gauge(
        "kube_pod_status_qos_class", "Which class of service the pod has.", ALPHA,
        one_of("status.qosClass", ("BestEffort", "Burstable", "Guaranteed")), "qos_class",
    ),
    gauge("kube_pod_status_ready", "Whether the pod can serve.", STABLE, condition_rows("Ready"), "condition"),
    gauge("kube_pod_status_ready_time", "When the pod became ready, in Unix seconds.", ALPHA, condition_time("Ready", "True")),
    gauge(
        "kube_pod_status_initialized_time", "When the init containers were done, in Unix seconds.", ALPHA,
        condition_time("Initialized", "True"),
    ),
    gauge(
        "kube_pod_status_container_ready_time", "When all containers were ready, in Unix seconds.", ALPHA,
        condition_time("ContainersReady", "True"),
    ),
    gauge("kube_pod_status_reason", "Why the pod is in its state.", ALPHA, status_reasons, "reason"),
    gauge("kube_pod_status_disruption_reason", "Why the pod is to be disrupted.", ALPHA, disruption_reasons, "reason"),
    gauge("kube_pod_status_scheduled", "Whether the pod has a node.", STABLE, condition_rows("PodScheduled"), "condition"),
    gauge(
        "kube_pod_status_scheduled_time", "When the pod got its node, in Unix seconds.", STABLE,
        condition_time("PodScheduled", "True"),
    ),
    gauge("kube_pod_status_unschedulable", "1 while the scheduler finds no node.", STABLE, unschedulable),
    gauge(
        "kube_pod_status_unscheduled_time", "Since when the scheduler finds no node, in Unix seconds.", ALPHA,
        condition_time("PodScheduled", "False"),
    ),
    gauge(
        "kube_pod_tolerations", "Taints that the pod tolerates.", ALPHA, each("spec.tolerations", _toleration),
        "key", "operator", "value", "effect", "toleration_seconds",
    ),
    FamilyGenerator(
        "kube_pod_nodeselectors", "Labels that the pod's node must have.", "gauge", ALPHA, node_selectors,
        ("nodeselector_*",), dynamic=True, opt_in=True,
    ),
    gauge(
        "kube_pod_service_account", "The account that the pod acts as.", ALPHA,
        labelled("spec.serviceAccountName"), "service_account",
    ),
    gauge("kube_pod_scheduler", "The scheduler that is to place the pod.", ALPHA, labelled("spec.schedulerName"), "name"),
)

RESOURCE = Resource(
    name="pods",
    group="",
    version="v1",
    kind="Pod",
    namespaced=True,
    identity=(("namespace", text("metadata.namespace")), ("pod", pod_name), ("uid", text("metadata.uid"))),
    families=FAMILIES,
)
