"""Pods: core/v1, https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ ."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, deletion_timestamp, owner
from telegen.kubestate.fields import each, given_time_at, text
from telegen.kubestate.quantity import milli, whole
from telegen.kubestate.resource import Resource
from telegen.kubestate.resources import pod_status as pod
from telegen.kubestate.resources.pod_containers import INIT, REGULAR, container_families
from telegen.metrics.family import ALPHA, STABLE, FamilyGenerator, gauge

# The order is that of kube-state-metrics, so that pages can be compared line by line.
FAMILIES = (
    gauge(
        "kube_pod_completion_time",
        "Latest end of a terminated container, in Unix seconds (status.containerStatuses[].state.terminated.finishedAt).", STABLE,
        pod.completion_time,
    ),
    *container_families(REGULAR),
    created("kube_pod"),
    deletion_timestamp("kube_pod"),
    gauge(
        "kube_pod_info",
        "One series per pod, always 1; addresses, node, controller, priority class and host network "
        "(status.hostIP, status.podIP, spec.nodeName, metadata.ownerReferences, spec.priorityClassName, spec.hostNetwork).",
        STABLE, pod.info, "host_ip", "pod_ip", "node", "created_by_kind", "created_by_name", "priority_class", "host_network",
    ),
    gauge(
        "kube_pod_ips", "One series per address, always 1; IP family 4 or 6 (status.podIPs).", ALPHA,
        each("status.podIPs", pod.address), "ip", "ip_family",
    ),
    *container_families(INIT),
    allowed_annotations("kube_pod"),
    allowed_labels("kube_pod"),
    gauge(
        "kube_pod_overhead_cpu_cores", "CPU of the runtime on top of the containers, in cores (spec.overhead.cpu).", ALPHA,
        pod.overhead("cpu", milli),
    ),
    gauge(
        "kube_pod_overhead_memory_bytes", "Memory of the runtime on top of the containers, in bytes (spec.overhead.memory).", ALPHA,
        pod.overhead("memory", whole),
    ),
    owner("kube_pod"),
    gauge(
        "kube_pod_resourceclaim_info",
        "One series per claim for dynamic resources, always 1; claim and template name "
        "(spec.resourceClaims, status.resourceClaimStatuses).",
        ALPHA, pod.resource_claims, "claim_name", "resourceclaim_name", "resourceclaim_template_name",
    ),
    gauge(
        "kube_pod_restart_policy", "One series per pod, always 1; restart policy of the containers (spec.restartPolicy).", STABLE,
        pod.common("restart_policy"), "type", input=pod.COMMON,
    ),
    gauge(
        "kube_pod_runtimeclass_name_info", "One series per pod, always 1; runtime class (spec.runtimeClassName).", ALPHA,
        pod.common("runtime_class"), "runtimeclass_name", input=pod.COMMON,
    ),
    gauge(
        "kube_pod_spec_volumes_persistentvolumeclaims_info",
        "One series per volume backed by a claim, always 1 (spec.volumes[].persistentVolumeClaim, spec.volumes[].ephemeral).", STABLE,
        pod.claims, "volume", "persistentvolumeclaim", "ephemeral", input=pod.CLAIMS,
    ),
    gauge(
        "kube_pod_spec_volumes_persistentvolumeclaims_readonly",
        "1 if the claim is mounted read-only, 0 if not (spec.volumes[].persistentVolumeClaim.readOnly).", STABLE,
        pod.claims_read_only, "volume", "persistentvolumeclaim", "ephemeral", input=pod.CLAIMS,
    ),
    gauge(
        "kube_pod_start_time", "Time at which the kubelet accepted the pod, in Unix seconds (status.startTime).", STABLE,
        given_time_at("status.startTime"),
    ),
    gauge(
        "kube_pod_status_phase", "1 on the current phase, 0 on the others (status.phase).", STABLE,
        pod.one_of("phase", ("Pending", "Succeeded", "Failed", "Unknown", "Running")), "phase", input=pod.COMMON,
    ),
    gauge(
        "kube_pod_status_qos_class", "1 on the quality of service class of the pod, 0 on the others (status.qosClass).", ALPHA,
        pod.one_of("qos", ("BestEffort", "Burstable", "Guaranteed")), "qos_class", input=pod.COMMON,
    ),
    gauge(
        "kube_pod_status_ready",
        "1 on the current status of the condition Ready, 0 on the other two (status.conditions[type=Ready].status).", STABLE,
        pod.condition_states("Ready"), "condition", input=pod.CONDITIONS,
    ),
    gauge(
        "kube_pod_status_ready_time",
        "Time at which the pod became ready, in Unix seconds (status.conditions[type=Ready].lastTransitionTime).", ALPHA,
        pod.condition_time("Ready", "True"), input=pod.CONDITION_TIMES,
    ),
    gauge(
        "kube_pod_status_initialized_time",
        "Time at which the init containers finished, in Unix seconds (status.conditions[type=Initialized].lastTransitionTime).", ALPHA,
        pod.condition_time("Initialized", "True"), input=pod.CONDITION_TIMES,
    ),
    gauge(
        "kube_pod_status_container_ready_time",
        "Time at which all containers became ready, in Unix seconds (status.conditions[type=ContainersReady].lastTransitionTime).", ALPHA,
        pod.condition_time("ContainersReady", "True"), input=pod.CONDITION_TIMES,
    ),
    gauge(
        "kube_pod_status_reason",
        "One series per known reason of the pod, its conditions and its containers, always 1 (status.reason, status.conditions[].reason).",
        ALPHA, pod.status_reasons, "reason",
    ),
    gauge(
        "kube_pod_status_disruption_reason",
        "One series per reason of a planned disruption, always 1; Other if unknown (status.conditions[type=DisruptionTarget].reason).",
        ALPHA, pod.disruption_reasons, "reason", input=pod.CONDITIONS,
    ),
    gauge(
        "kube_pod_status_scheduled",
        "1 on the current status of the condition PodScheduled, 0 on the other two (status.conditions[type=PodScheduled].status).", STABLE,
        pod.condition_states("PodScheduled"), "condition", input=pod.CONDITIONS,
    ),
    gauge(
        "kube_pod_status_scheduled_time",
        "Time at which the pod was bound to a node, in Unix seconds (status.conditions[type=PodScheduled].lastTransitionTime).", STABLE,
        pod.condition_time("PodScheduled", "True"), input=pod.CONDITION_TIMES,
    ),
    gauge(
        "kube_pod_status_unschedulable",
        "1 while the pod is not scheduled; no series otherwise (status.conditions[type=PodScheduled].status).", STABLE,
        pod.unschedulable, input=pod.CONDITIONS,
    ),
    gauge(
        "kube_pod_status_unscheduled_time",
        "Time since which the pod is not scheduled, in Unix seconds (status.conditions[type=PodScheduled].lastTransitionTime).", ALPHA,
        pod.condition_time("PodScheduled", "False"), input=pod.CONDITION_TIMES,
    ),
    gauge(
        "kube_pod_tolerations", "One series per toleration, always 1 (spec.tolerations).", ALPHA,
        pod.tolerations, "key", "operator", "value", "effect", "toleration_seconds", input=pod.COMMON,
    ),
    FamilyGenerator(
        "kube_pod_nodeselectors",
        "One series per pod, always 1; each key of the node selector as a label nodeselector_* (spec.nodeSelector).", "gauge",
        ALPHA, pod.node_selectors, ("nodeselector_*",), dynamic=True, opt_in=True,
    ),
    gauge(
        "kube_pod_service_account", "One series per pod, always 1; service account of the pod (spec.serviceAccountName).", ALPHA,
        pod.common("service_account"), "service_account", input=pod.COMMON,
    ),
    gauge(
        "kube_pod_scheduler", "One series per pod, always 1; scheduler responsible for the pod (spec.schedulerName).", ALPHA,
        pod.common("scheduler"), "name", input=pod.COMMON,
    ),
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
"""Left out: environment, probes and mounts of containers, and most fields of volumes. They are the largest part of a pod."""

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
