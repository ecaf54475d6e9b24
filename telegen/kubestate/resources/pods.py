"""Pods: core/v1, https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ ."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, deletion_timestamp, owner
from telegen.kubestate.fields import each, given_time_at, text
from telegen.kubestate.quantity import milli, whole
from telegen.kubestate.resource import Resource
from telegen.kubestate.resources import pod_containers as containers
from telegen.kubestate.resources import pod_status as pod
from telegen.metrics.family import ALPHA, STABLE, FamilyGenerator, counter, gauge

SPECS, STATUSES = "spec.containers", "status.containerStatuses"
INIT_SPECS, INIT_STATUSES = "spec.initContainers", "status.initContainerStatuses"
DEMAND, INIT_DEMAND = containers.demand(SPECS), containers.demand(INIT_SPECS)
STATES, INIT_STATES = containers.states(STATUSES), containers.states(INIT_STATUSES)

FAMILIES = (
    gauge("kube_pod_completion_time", "When the last container ended, in Unix seconds.", STABLE, pod.completion_time),
    gauge(
        "kube_pod_container_info", "Images and id of a container.", STABLE, containers.info(SPECS, STATUSES, False),
        "container", "image_spec", "image", "image_id", "container_id",
    ),
    gauge(
        "kube_pod_container_resource_limits", "Most that a container may use of a resource.", STABLE,
        containers.limits, "container", "node", "resource", "unit", of=DEMAND,
    ),
    gauge(
        "kube_pod_container_resource_requests", "What a container asks for of a resource.", STABLE,
        containers.requests, "container", "node", "resource", "unit", of=DEMAND,
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
        "kube_pod_info", "Where a pod runs, and for whom.", STABLE, pod.info,
        "host_ip", "pod_ip", "node", "created_by_kind", "created_by_name", "priority_class", "host_network",
    ),
    gauge("kube_pod_ips", "Addresses of a pod.", ALPHA, each("status.podIPs", pod.address), "ip", "ip_family"),
    gauge(
        "kube_pod_init_container_info", "Images and id of an init container.", STABLE,
        containers.info(INIT_SPECS, INIT_STATUSES, True),
        "container", "image_spec", "image", "image_id", "container_id", "restart_policy",
    ),
    gauge(
        "kube_pod_init_container_resource_limits", "Most that an init container may use of a resource.", ALPHA,
        containers.limits, "container", "node", "resource", "unit", of=INIT_DEMAND,
    ),
    gauge(
        "kube_pod_init_container_resource_requests", "What an init container asks for of a resource.", ALPHA,
        containers.requests, "container", "node", "resource", "unit", of=INIT_DEMAND,
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
    gauge("kube_pod_overhead_cpu_cores", "Cores that running the pod takes besides its containers.", ALPHA, pod.overhead("cpu", milli)),
    gauge(
        "kube_pod_overhead_memory_bytes", "Memory that running the pod takes besides its containers.", ALPHA,
        pod.overhead("memory", whole),
    ),
    owner("kube_pod"),
    gauge(
        "kube_pod_resourceclaim_info", "Claims of dynamic resources.", ALPHA, pod.resource_claims,
        "claim_name", "resourceclaim_name", "resourceclaim_template_name",
    ),
    gauge("kube_pod_restart_policy", "When containers are started again.", STABLE, pod.common("restart_policy"), "type", of=pod.COMMON),
    gauge(
        "kube_pod_runtimeclass_name_info", "The runtime class that the pod asks for.", ALPHA, pod.common("runtime_class"),
        "runtimeclass_name", of=pod.COMMON,
    ),
    gauge(
        "kube_pod_spec_volumes_persistentvolumeclaims_info", "Volumes that stand for a claim.", STABLE, pod.claims,
        "volume", "persistentvolumeclaim", "ephemeral", of=pod.CLAIMS,
    ),
    gauge(
        "kube_pod_spec_volumes_persistentvolumeclaims_readonly", "Whether such a volume is mounted read-only.", STABLE,
        pod.claims_read_only, "volume", "persistentvolumeclaim", "ephemeral", of=pod.CLAIMS,
    ),
    gauge("kube_pod_start_time", "When the kubelet took the pod, in Unix seconds.", STABLE, given_time_at("status.startTime")),
    gauge(
        "kube_pod_status_phase", "Which phase of its life the pod is in.", STABLE,
        pod.one_of("phase", ("Pending", "Succeeded", "Failed", "Unknown", "Running")), "phase", of=pod.COMMON,
    ),
    gauge(
        "kube_pod_status_qos_class", "Which class of service the pod has.", ALPHA,
        pod.one_of("qos", ("BestEffort", "Burstable", "Guaranteed")), "qos_class", of=pod.COMMON,
    ),
    gauge("kube_pod_status_ready", "Whether the pod can serve.", STABLE, pod.condition_states("Ready"), "condition", of=pod.CONDITIONS),
    gauge(
        "kube_pod_status_ready_time", "When the pod became ready, in Unix seconds.", ALPHA,
        pod.condition_time("Ready", "True"), of=pod.CONDITION_TIMES,
    ),
    gauge(
        "kube_pod_status_initialized_time", "When the init containers were done, in Unix seconds.", ALPHA,
        pod.condition_time("Initialized", "True"), of=pod.CONDITION_TIMES,
    ),
    gauge(
        "kube_pod_status_container_ready_time", "When all containers were ready, in Unix seconds.", ALPHA,
        pod.condition_time("ContainersReady", "True"), of=pod.CONDITION_TIMES,
    ),
    gauge("kube_pod_status_reason", "Why the pod is in its state.", ALPHA, pod.status_reasons, "reason"),
    gauge(
        "kube_pod_status_disruption_reason", "Why the pod is to be disrupted.", ALPHA, pod.disruption_reasons, "reason",
        of=pod.CONDITIONS,
    ),
    gauge(
        "kube_pod_status_scheduled", "Whether the pod has a node.", STABLE, pod.condition_states("PodScheduled"), "condition",
        of=pod.CONDITIONS,
    ),
    gauge(
        "kube_pod_status_scheduled_time", "When the pod got its node, in Unix seconds.", STABLE,
        pod.condition_time("PodScheduled", "True"), of=pod.CONDITION_TIMES,
    ),
    gauge("kube_pod_status_unschedulable", "1 while the scheduler finds no node.", STABLE, pod.unschedulable, of=pod.CONDITIONS),
    gauge(
        "kube_pod_status_unscheduled_time", "Since when the scheduler finds no node, in Unix seconds.", ALPHA,
        pod.condition_time("PodScheduled", "False"), of=pod.CONDITION_TIMES,
    ),
    gauge(
        "kube_pod_tolerations", "Taints that the pod tolerates.", ALPHA, pod.tolerations,
        "key", "operator", "value", "effect", "toleration_seconds", of=pod.COMMON,
    ),
    FamilyGenerator(
        "kube_pod_nodeselectors", "Labels that the pod's node must have.", "gauge", ALPHA, pod.node_selectors,
        ("nodeselector_*",), dynamic=True, opt_in=True,
    ),
    gauge(
        "kube_pod_service_account", "The account that the pod acts as.", ALPHA,
        pod.common("service_account"), "service_account", of=pod.COMMON,
    ),
    gauge("kube_pod_scheduler", "The scheduler that is to place the pod.", ALPHA, pod.common("scheduler"), "name", of=pod.COMMON),
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
    identity=(("namespace", text("metadata.namespace")), ("pod", pod.pod_name), ("uid", text("metadata.uid"))),
    families=FAMILIES,
    reads=READS,
)
