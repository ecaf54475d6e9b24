"""Pods: core/v1, https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ ."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, Optional

from telegen.kubestate import pod_containers as containers
from telegen.kubestate.constructors import STATUSES as CONDITION_STATES
from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, deletion_timestamp, owner
from telegen.kubestate.fields import at, each, items, seconds, text, time_at
from telegen.kubestate.quantity import milli, whole
from telegen.kubestate.resource import Resource
from telegen.metrics.family import ALPHA, STABLE, FamilyGenerator, Generate, Object, Row, counter, gauge
from telegen.metrics.keys import label_pairs

SPECS, STATUSES = "spec.containers", "status.containerStatuses"
INIT_SPECS, INIT_STATUSES = "spec.initContainers", "status.initContainerStatuses"
STATES, INIT_STATES = containers.states(STATUSES), containers.states(INIT_STATUSES)

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
_owners, _conditions, _statuses = items("metadata.ownerReferences"), items("status.conditions"), items(STATUSES)
_volumes, _tolerations, _claims = items("spec.volumes"), items("spec.tolerations"), items("spec.resourceClaims")
_claim_statuses, _reason = items("status.resourceClaimStatuses"), text("status.reason")
_node_selector = at("spec.nodeSelector", {})


def info(obj: Object) -> Iterable[Row]:
    """Addresses, node, controller and class."""
    kind = name = ""
    for ref in _owners(obj):
        if ref.get("controller"):
            kind, name = ref.get("kind") or "", ref.get("name") or ""
            break
    spec, status = (obj.get("spec") or {}).get, (obj.get("status") or {}).get
    where = status("hostIP") or "", status("podIP") or "", spec("nodeName") or ""
    return [(*where, kind, name, spec("priorityClassName") or "", "true" if spec("hostNetwork") else "false", 1)]


_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")


@lru_cache(maxsize=16384)
def _ip_family(address: str) -> str:
    """`4` or `6`, "" for what is no address. PERF: parsing takes 4 us, a regular expression 1."""
    if _IPV4.fullmatch(address):
        return "4"
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
    latest = 0
    for status in _statuses(obj):
        terminated = (status.get("state") or {}).get("terminated")
        if terminated is not None:
            latest = max(latest, seconds(terminated.get("finishedAt")))
    return latest if latest > 0 else None


def overhead(resource: str, convert: Any) -> Generate:
    """spec.overhead of one resource."""
    read = at(f"spec.overhead.{resource}")

    def generate(obj: Object) -> Any:
        quantity = read(obj)
        return None if quantity is None else convert(quantity)

    return generate


Claim = tuple[str, str, str, bool]
"""(volume, claim, is ephemeral, is read-only) of a volume that stands for a claim."""


def CLAIMS(obj: Object) -> tuple[Claim, ...]:
    """The subject of two families: most pods have none."""
    found: list[Claim] = []
    for volume in _volumes(obj):
        claim = volume.get("persistentVolumeClaim")
        if claim is not None:
            found.append((volume.get("name") or "", claim.get("claimName") or "", "false", claim.get("readOnly") or False))
        elif volume.get("ephemeral") is not None:
            name = volume.get("name") or ""
            found.append((name, f"{pod_name(obj)}-{name}", "true", False))
    return tuple(found)


def claims(found: Iterable[Claim]) -> Iterable[Row]:
    """Volumes that stand for a claim."""
    return [(*claim[:3], 1) for claim in found]


def claims_read_only(found: Iterable[Claim]) -> Iterable[Row]:
    """The same, with whether they are mounted read-only."""
    return found


def resource_claims(obj: Object) -> Iterable[Row]:
    """Claims of dynamic resources, by name or by template; the name that a template led to once it is known."""
    resolved = {status.get("name"): status.get("resourceClaimName") or "" for status in _claim_statuses(obj)}
    rows = []
    for claim in _claims(obj):
        name, direct, template = claim.get("name") or "", claim.get("resourceClaimName"), claim.get("resourceClaimTemplateName")
        if direct is not None or template is not None:
            rows.append((name, direct if direct is not None else resolved.get(name, ""), template or "", 1))
    return rows


Condition = tuple[Optional[str], Optional[str], Optional[str]]
"""(type, status, reason): a condition without its times."""


def CONDITIONS(obj: Object) -> tuple[Condition, ...]:
    """The subject of families that ask for no times."""
    return tuple([(one.get("type"), one.get("status"), one.get("reason")) for one in _conditions(obj)])


def condition_states(type_: str) -> Generate:
    """(true | false | unknown) rows of the conditions of one type."""
    return lambda conditions: [
        (label, status == wanted)
        for kind, status, _ in conditions
        if kind == type_
        for label, wanted in CONDITION_STATES
    ]


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


def disruption_reasons(conditions: Iterable[Condition]) -> Iterable[Row]:
    """Why the pod is to be disrupted."""
    reasons = [reason for kind, _, reason in conditions if kind == "DisruptionTarget"]
    return [(reason if reason in DISRUPTION_REASONS else "Other", 1) for reason in reasons]


def unschedulable(conditions: Iterable[Condition]) -> int | None:
    """1 when the scheduler found no node."""
    return 1 if any(kind == "PodScheduled" and status == "False" for kind, status, _ in conditions) else None


def _toleration(entry: dict[str, Any]) -> Row:
    get, after = entry.get, entry.get("tolerationSeconds")
    texts = get("key") or "", get("operator") or "", get("value") or "", get("effect") or ""
    return (*texts, "" if after is None else str(int(after)), 1)


class Common(NamedTuple):
    """What many pods have in common.

    Attributes:
        restart_policy, scheduler, service_account, qos, phase: as they are, absent is "".
        runtime_class: None when it is absent.
        tolerations: as rows.
    """

    restart_policy: str
    scheduler: str
    service_account: str
    runtime_class: str | None
    qos: str
    phase: str
    tolerations: tuple[Row, ...]


def COMMON(obj: Object) -> Common:
    """The subject of families that say little of a single pod."""
    spec, status = (obj.get("spec") or {}).get, (obj.get("status") or {}).get
    return Common(
        spec("restartPolicy") or "",
        spec("schedulerName") or "",
        spec("serviceAccountName") or "",
        spec("runtimeClassName"),
        status("qosClass") or "",
        status("phase") or "",
        tuple([_toleration(entry) for entry in spec("tolerations") or ()]),
    )


def common(field: str) -> Generate:
    """One sample 1, whose label is a field of `Common`; nothing when that is absent and its absence means something."""
    read = attrgetter(field)

    def generate(pod: Common) -> Iterable[Row] | None:
        value = read(pod)
        return None if value is None else [(value, 1)]

    return generate


def _one_of(field: str, values: Sequence[str]) -> Generate:
    """One sample per possible value of a field of `Common`, 1 on the current one; nothing when there is no current one."""
    read = attrgetter(field)

    def generate(pod: Common) -> Iterable[Row] | None:
        current = read(pod)
        return [(value, value == current) for value in values] if current else None

    return generate


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
        containers.last_reason, "container", "reason", of=STATES,
    ),
    gauge(
        "kube_pod_container_status_last_terminated_exitcode", "Exit code of a container's last end.", ALPHA,
        containers.last_exit_code, "container", of=STATES,
    ),
    gauge(
        "kube_pod_container_status_last_terminated_timestamp", "When a container ended the last time, in Unix seconds.", ALPHA,
        containers.last_finished(STATUSES), "container",
    ),
    gauge(
        "kube_pod_container_status_ready", "Whether a container passes its readiness check.", STABLE,
        containers.ready, "container", of=STATES,
    ),
    counter(
        "kube_pod_container_status_restarts_total", "How often a container was started again.", STABLE,
        containers.restarts, "container", of=STATES,
    ),
    gauge(
        "kube_pod_container_status_running", "Whether a container runs.", STABLE,
        containers.running, "container", of=STATES,
    ),
    gauge(
        "kube_pod_container_status_terminated", "Whether a container has ended.", STABLE,
        containers.terminated, "container", of=STATES,
    ),
    gauge(
        "kube_pod_container_status_terminated_reason", "Why a container has ended.", ALPHA,
        containers.terminated_reason, "container", "reason", of=STATES,
    ),
    gauge(
        "kube_pod_container_status_waiting", "Whether a container waits.", STABLE,
        containers.waiting, "container", of=STATES,
    ),
    gauge(
        "kube_pod_container_status_waiting_reason", "Why a container waits.", STABLE,
        containers.waiting_reason, "container", "reason", of=STATES,
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
        containers.last_reason, "container", "reason", of=INIT_STATES,
    ),
    gauge(
        "kube_pod_init_container_status_last_terminated_exitcode", "Exit code of an init container's last end.", ALPHA,
        containers.last_exit_code, "container", of=INIT_STATES,
    ),
    gauge(
        "kube_pod_init_container_status_last_terminated_timestamp", "When an init container ended the last time, in Unix seconds.",
        ALPHA, containers.last_finished(INIT_STATUSES), "container",
    ),
    gauge(
        "kube_pod_init_container_status_ready", "Whether an init container has done its work.", STABLE,
        containers.ready, "container", of=INIT_STATES,
    ),
    counter(
        "kube_pod_init_container_status_restarts_total", "How often an init container was started again.", STABLE,
        containers.restarts, "container", of=INIT_STATES,
    ),
    gauge(
        "kube_pod_init_container_status_running", "Whether an init container runs.", STABLE,
        containers.running, "container", of=INIT_STATES,
    ),
    gauge(
        "kube_pod_init_container_status_terminated", "Whether an init container has ended.", STABLE,
        containers.terminated, "container", of=INIT_STATES,
    ),
    gauge(
        "kube_pod_init_container_status_terminated_reason", "Why an init container has ended.", ALPHA,
        containers.terminated_reason, "container", "reason", of=INIT_STATES,
    ),
    gauge(
        "kube_pod_init_container_status_waiting", "Whether an init container waits.", STABLE,
        containers.waiting, "container", of=INIT_STATES,
    ),
    gauge(
        "kube_pod_init_container_status_waiting_reason", "Why an init container waits.", ALPHA,
        containers.waiting_reason, "container", "reason", of=INIT_STATES,
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
    gauge("kube_pod_restart_policy", "When containers are started again.", STABLE, common("restart_policy"), "type", of=COMMON),
    gauge(
        "kube_pod_runtimeclass_name_info", "The runtime class that the pod asks for.", ALPHA, common("runtime_class"),
        "runtimeclass_name", of=COMMON,
    ),
    gauge(
        "kube_pod_spec_volumes_persistentvolumeclaims_info", "Volumes that stand for a claim.", STABLE, claims,
        "volume", "persistentvolumeclaim", "ephemeral", of=CLAIMS,
    ),
    gauge(
        "kube_pod_spec_volumes_persistentvolumeclaims_readonly", "Whether such a volume is mounted read-only.", STABLE,
        claims_read_only, "volume", "persistentvolumeclaim", "ephemeral", of=CLAIMS,
    ),
    gauge("kube_pod_start_time", "When the kubelet took the pod, in Unix seconds.", STABLE, time_at("status.startTime")),
    gauge(
        "kube_pod_status_phase", "Which phase of its life the pod is in.", STABLE,
        _one_of("phase", ("Pending", "Succeeded", "Failed", "Unknown", "Running")), "phase", of=COMMON,
    ),
    gauge(
        "kube_pod_status_qos_class", "Which class of service the pod has.", ALPHA,
        _one_of("qos", ("BestEffort", "Burstable", "Guaranteed")), "qos_class", of=COMMON,
    ),
    gauge("kube_pod_status_ready", "Whether the pod can serve.", STABLE, condition_states("Ready"), "condition", of=CONDITIONS),
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
    gauge("kube_pod_status_disruption_reason", "Why the pod is to be disrupted.", ALPHA, disruption_reasons, "reason", of=CONDITIONS),
    gauge("kube_pod_status_scheduled", "Whether the pod has a node.", STABLE, condition_states("PodScheduled"), "condition", of=CONDITIONS),
    gauge(
        "kube_pod_status_scheduled_time", "When the pod got its node, in Unix seconds.", STABLE,
        condition_time("PodScheduled", "True"),
    ),
    gauge("kube_pod_status_unschedulable", "1 while the scheduler finds no node.", STABLE, unschedulable, of=CONDITIONS),
    gauge(
        "kube_pod_status_unscheduled_time", "Since when the scheduler finds no node, in Unix seconds.", ALPHA,
        condition_time("PodScheduled", "False"),
    ),
    gauge(
        "kube_pod_tolerations", "Taints that the pod tolerates.", ALPHA, attrgetter("tolerations"),
        "key", "operator", "value", "effect", "toleration_seconds", of=COMMON,
    ),
    FamilyGenerator(
        "kube_pod_nodeselectors", "Labels that the pod's node must have.", "gauge", ALPHA, node_selectors,
        ("nodeselector_*",), dynamic=True, opt_in=True,
    ),
    gauge(
        "kube_pod_service_account", "The account that the pod acts as.", ALPHA,
        common("service_account"), "service_account", of=COMMON,
    ),
    gauge("kube_pod_scheduler", "The scheduler that is to place the pod.", ALPHA, common("scheduler"), "name", of=COMMON),
)

READS = (
    *[
        f"spec.{containers}[].{field}"
        for containers in ("containers", "initContainers")
        for field in ("image", "name", "resources", "restartPolicy")
    ],
    *[f"spec.volumes[].{field}" for field in ("ephemeral", "name", "persistentVolumeClaim")],
    "spec.hostNetwork",
    "spec.nodeName",
    "spec.nodeSelector",
    "spec.overhead",
    "spec.priorityClassName",
    "spec.resourceClaims",
    "spec.restartPolicy",
    "spec.runtimeClassName",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.tolerations",
    *[
        f"status.{statuses}[].{field}"
        for statuses in ("containerStatuses", "initContainerStatuses")
        for field in ("containerID", "image", "imageID", "lastState", "name", "ready", "restartCount", "state")
    ],
    "status.conditions",
    "status.hostIP",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.qosClass",
    "status.reason",
    "status.resourceClaimStatuses",
    "status.startTime",
)
"""Not read: what a container is made of (environment, probes, mounts) and most of what its volumes are made of."""

RESOURCE = Resource(
    name="pods",
    group="",
    version="v1",
    kind="Pod",
    namespaced=True,
    identity=(("namespace", text("metadata.namespace")), ("pod", pod_name), ("uid", text("metadata.uid"))),
    families=FAMILIES,
    reads=READS,
)
