"""Semantic conventions 1.44 for Kubernetes and containers: which metrics the families of the page become.

A family may become several metrics: the first convention that matches a sample names it. A sample that none matches, and a family
without an entry, keep the name of the page. Not in the table, although a metric with that meaning exists:

- `kube_endpointslice_endpoints` lacks the Service and the type of the addresses.
- `kube_replicaset_status_ready_replicas` counts ready pods, and the convention available ones.
- `container_cpu_user_seconds_total` and `container_cpu_system_seconds_total`: container.cpu.time has the total, and sums would double.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["container", "pod", "sandbox", "node", "system", ""]
"""Owner of a cgroup: a container, a pod, the pod's sandbox, the node (the root), a daemon of the node; "" for any other."""
Reading = Literal["as_is", "uptime", "count", "minor_faults"]
"""Value of a point: that of the sample, seconds since it, the number of samples, or the sample less the major faults beside it."""

GAUGE: None = None
COUNTER, UPDOWN = True, False


@dataclass(frozen=True)
class Convention:
    """One metric of the semantic conventions.

    Attributes:
        unit: UCUM.
        monotonic: GAUGE, COUNTER or UPDOWN.
        attributes: attribute by label; other labels keep their names.
        fixed: attributes that all points have.
        where: regular expressions that labels match as a whole. These labels are dropped, and named groups become attributes (see
            `captured`).
        captured: attribute by named group of `where`.
        dropped: labels that are left out.
        lower: the attributes have lower-case values.
        level: of the cgroup; None for families that are not of cgroups.
        divisor: named group with a number of bytes in binary notation, such as 2Mi, by which values are divided.
    """

    name: str
    unit: str
    monotonic: bool | None = UPDOWN
    attributes: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    captured: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    lower: bool = False
    level: Level | None = None
    reading: Reading = "as_is"
    divisor: str = ""


Conventions = tuple[Convention, ...]


def _pods(kind: str, **metrics: str) -> dict[str, Conventions]:
    """Return families that count pods: the end of the family's name by that of the metric."""
    entity = "hpa" if kind == "horizontalpodautoscaler" else kind
    return {f"kube_{kind}_{family}": (Convention(f"k8s.{entity}.pod.{name}", "{pod}"),) for name, family in metrics.items()}


def _phase(kind: str, metric: str, unit: str, attribute: str, lower: bool = False) -> dict[str, Conventions]:
    return {f"kube_{kind}_status_phase": (Convention(metric, unit, attributes={"phase": attribute}, lower=lower),)}


def _amounts(pattern: str, ends: Mapping[str, tuple[str, str, str]]) -> Conventions:
    """Return the metrics of a family with a label `resource`: (part of the metric's name, its end, unit) by resource."""
    return tuple(
        Convention(pattern.format(what, end), unit, attributes={"node": "k8s.node.name"}, where={"resource": resource}, dropped=("unit",))
        for resource, (what, end, unit) in ends.items()
    )


_STORAGE_CLASS = r"(?P<class>.+)\.storageclass\.storage\.k8s\.io/"
_COUNTED = (
    r"count/.+|pods|services|secrets|configmaps|replicationcontrollers|resourcequotas|services\.loadbalancers|services\.nodeports"
)


def _quota(type: Literal["hard", "used"]) -> Conventions:
    """Return the metrics of kube_resourcequota for one type of its values."""

    def one(
        name: str, unit: str, resource: str, captured: Mapping[str, str] | None = None, divisor: str = "", keep: bool = False
    ) -> Convention:
        where = {"type": type, "resource": resource}
        attributes = {"resource": "k8s.resourcequota.resource_name"} if keep else {}
        full = f"k8s.resourcequota.{name}.{type}"
        return Convention(full, unit, where=where, captured=captured or {}, divisor=divisor, attributes=attributes)

    of_class = {"class": "k8s.storageclass.name"}
    claims = "{persistentvolumeclaim}"
    return (
        one("cpu.limit", "{cpu}", r"limits\.cpu"),
        one("cpu.request", "{cpu}", r"(?:requests\.)?cpu"),
        one("memory.limit", "By", r"limits\.memory"),
        one("memory.request", "By", r"(?:requests\.)?memory"),
        one("ephemeral_storage.limit", "By", r"limits\.ephemeral-storage"),
        one("ephemeral_storage.request", "By", r"requests\.ephemeral-storage"),
        one("storage.request", "By", r"requests\.storage"),
        one("storage.request", "By", rf"{_STORAGE_CLASS}requests\.storage", of_class),
        one("persistentvolumeclaim_count", claims, "persistentvolumeclaims"),
        one("persistentvolumeclaim_count", claims, rf"{_STORAGE_CLASS}persistentvolumeclaims", of_class),
        one(
            "hugepage_count.request",
            "{hugepage}",
            r"requests\.hugepages-(?P<size>\d+[KMGTPE]i)",
            {"size": "k8s.hugepage.size"},
            divisor="size",
        ),
        one("object_count", "{object}", _COUNTED, keep=True),
    )


def _target(type: str, name: str, unit: str) -> Convention:
    where = {"metric_name": "cpu", "metric_target_type": type}
    return Convention(f"k8s.hpa.metric.target.cpu.{name}", unit, GAUGE, {"container": "k8s.container.name"}, where=where)


def _state(state: str) -> dict[str, Conventions]:
    fixed = {"k8s.container.status.state": state}
    return {f"kube_pod_container_status_{state}": (Convention("k8s.container.status.state", "{container}", fixed=fixed),)}


_REASON = (Convention("k8s.container.status.reason", "{container}", attributes={"reason": "k8s.container.status.reason"}),)

STATE: Mapping[str, Conventions] = {
    "kube_cronjob_status_active": (Convention("k8s.cronjob.job.active", "{job}"),),
    "kube_daemonset_status_current_number_scheduled": (Convention("k8s.daemonset.node.current_scheduled", "{node}"),),
    "kube_daemonset_status_desired_number_scheduled": (Convention("k8s.daemonset.node.desired_scheduled", "{node}"),),
    "kube_daemonset_status_number_misscheduled": (Convention("k8s.daemonset.node.misscheduled", "{node}"),),
    "kube_daemonset_status_number_ready": (Convention("k8s.daemonset.node.ready", "{node}"),),
    **_pods("deployment", available="status_replicas_available", desired="spec_replicas"),
    **_pods(
        "horizontalpodautoscaler",
        max="spec_max_replicas",
        min="spec_min_replicas",
        current="status_current_replicas",
        desired="status_desired_replicas",
    ),
    "kube_horizontalpodautoscaler_spec_target_metric": (
        _target("value", "value", "{cpu}"),
        _target("average", "average_value", "{cpu}"),
        # Values are percent, as in the object.
        _target("utilization", "average_utilization", "1"),
    ),
    **_pods(
        "job",
        max_parallel="spec_parallelism",
        desired_successful="spec_completions",
        successful="status_succeeded",
        active="status_active",
    ),
    # The samples of a reason are 0 or 1, not a number of pods.
    "kube_job_status_failed": (Convention("k8s.job.pod.failed", "{pod}", where={"reason": ""}),),
    **_phase("namespace", "k8s.namespace.phase", "{namespace}", "k8s.namespace.phase", lower=True),
    "kube_node_status_allocatable": _amounts(
        "k8s.node.{}.{}",
        {
            "cpu": ("cpu", "allocatable", "{cpu}"),
            "memory": ("memory", "allocatable", "By"),
            "ephemeral_storage": ("ephemeral_storage", "allocatable", "By"),
            "pods": ("pod", "allocatable", "{pod}"),
        },
    ),
    "kube_node_status_condition": (
        Convention(
            "k8s.node.condition.status",
            "{node}",
            attributes={"condition": "k8s.node.condition.type", "status": "k8s.node.condition.status"},
        ),
    ),
    **_phase(
        "persistentvolumeclaim",
        "k8s.persistentvolumeclaim.status.phase",
        "{persistentvolumeclaim}",
        "k8s.persistentvolumeclaim.status.phase",
    ),
    "kube_persistentvolumeclaim_resource_requests_storage_bytes": (Convention("k8s.persistentvolumeclaim.storage.request", "By"),),
    **_phase("persistentvolume", "k8s.persistentvolume.status.phase", "{persistentvolume}", "k8s.persistentvolume.status.phase"),
    "kube_persistentvolume_capacity_bytes": (Convention("k8s.persistentvolume.storage.capacity", "By"),),
    "kube_pod_container_resource_limits": _amounts(
        "k8s.container.{}.{}",
        {
            "cpu": ("cpu", "limit.desired", "{cpu}"),
            "memory": ("memory", "limit.desired", "By"),
            "ephemeral_storage": ("ephemeral_storage", "limit", "By"),
            "storage": ("storage", "limit", "By"),
        },
    ),
    "kube_pod_container_resource_requests": _amounts(
        "k8s.container.{}.{}",
        {
            "cpu": ("cpu", "request.desired", "{cpu}"),
            "memory": ("memory", "request.desired", "By"),
            "ephemeral_storage": ("ephemeral_storage", "request", "By"),
            "storage": ("storage", "request", "By"),
        },
    ),
    "kube_pod_container_status_ready": (Convention("k8s.container.ready", "{container}"),),
    # Not a counter: the number falls when the API forgets old containers.
    "kube_pod_container_status_restarts_total": (Convention("k8s.container.restart.count", "{restart}"),),
    **_state("running"),
    **_state("terminated"),
    **_state("waiting"),
    "kube_pod_container_status_terminated_reason": _REASON,
    "kube_pod_container_status_waiting_reason": _REASON,
    "kube_pod_start_time": (Convention("k8s.pod.uptime", "s", GAUGE, reading="uptime"),),
    **_phase("pod", "k8s.pod.status.phase", "{pod}", "k8s.pod.status.phase"),
    "kube_pod_status_reason": (Convention("k8s.pod.status.reason", "{pod}", attributes={"reason": "k8s.pod.status.reason"}),),
    **_pods("replicaset", desired="spec_replicas"),
    **_pods("replicationcontroller", available="status_available_replicas", desired="spec_replicas"),
    "kube_resourcequota": (*_quota("hard"), *_quota("used")),
    "kube_service_status_load_balancer_ingress": (
        Convention("k8s.service.load_balancer.ingress.count", "{ingress}", GAUGE, dropped=("ip", "hostname"), reading="count"),
    ),
    **_pods(
        "statefulset",
        current="status_replicas_current",
        ready="status_replicas_ready",
        updated="status_replicas_updated",
        desired="replicas",
    ),
}
"""Conventions by family of the state of objects."""

_CONTAINER, _POD, _NODE, _SYSTEM = "container.", "k8s.pod.", "k8s.node.", "k8s.node.system_container."
_PREFIX: Mapping[Level, str] = {"container": _CONTAINER, "pod": _POD, "node": _NODE, "system": _SYSTEM}
_NOT_SYSTEM: tuple[Level, ...] = ("container", "pod", "node")
_ALL: tuple[Level, ...] = (*_NOT_SYSTEM, "system")
_DEVICE = {"device": "system.device"}
_INTERFACE = {"interface": "network.interface.name"}


def _cgroups(
    name: str,
    unit: str,
    levels: tuple[Level, ...],
    monotonic: bool | None = UPDOWN,
    attributes: Mapping[str, str] | None = None,
    fixed: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
    reading: Reading = "as_is",
) -> Conventions:
    """Return the metrics of a family of cgroups: one for each level, with the same end of the name."""
    return tuple(
        Convention(
            _PREFIX[level] + name, unit, monotonic, attributes or {}, fixed or {}, where or {}, level=level, reading=reading
        )
        for level in levels
    )


def _network(name: str, unit: str, direction: str) -> Conventions:
    return _cgroups(name, unit, ("pod", "node"), COUNTER, _INTERFACE, {"network.io.direction": direction})


def _faults(kind: str, label: str, reading: Reading) -> Conventions:
    # The scope `hierarchy` counts the children again.
    where = {"scope": "container", "failure_type": label}
    return _cgroups("paging.faults", "{fault}", _NOT_SYSTEM, COUNTER, {}, {"system.paging.fault.type": kind}, where, reading)


CGROUPS: Mapping[str, Conventions] = {
    "container_start_time_seconds": _cgroups("uptime", "s", _NOT_SYSTEM, GAUGE, reading="uptime"),
    "container_cpu_usage_seconds_total": (
        *_cgroups("cpu.time", "s", _ALL, COUNTER, where={"cpu": "total"}),
        *_cgroups("cpu.time", "s", _ALL, COUNTER),
    ),
    "container_memory_rss": _cgroups("memory.rss", "By", _NOT_SYSTEM),
    "container_memory_usage_bytes": _cgroups("memory.usage", "By", _ALL),
    "container_memory_working_set_bytes": _cgroups("memory.working_set", "By", _ALL),
    "container_memory_failures_total": (*_faults("minor", "pgfault", "minor_faults"), *_faults("major", "pgmajfault", "as_is")),
    "container_fs_limit_bytes": _cgroups("filesystem.capacity", "By", ("container", "node"), attributes=_DEVICE),
    "container_fs_usage_bytes": _cgroups("filesystem.usage", "By", ("container", "node"), attributes=_DEVICE),
    "container_fs_reads_bytes_total": _cgroups("disk.io", "By", ("container",), COUNTER, _DEVICE, {"disk.io.direction": "read"}),
    "container_fs_writes_bytes_total": _cgroups("disk.io", "By", ("container",), COUNTER, _DEVICE, {"disk.io.direction": "write"}),
    "container_network_receive_bytes_total": _network("network.io", "By", "receive"),
    "container_network_transmit_bytes_total": _network("network.io", "By", "transmit"),
    "container_network_receive_errors_total": _network("network.errors", "{error}", "receive"),
    "container_network_transmit_errors_total": _network("network.errors", "{error}", "transmit"),
}
"""Conventions by family of cgroups."""


def conventions_of(family: str) -> Conventions:
    """Return the metrics that a family of the page becomes; none if it keeps its name."""
    return CGROUPS.get(family) or STATE.get(family, ())
