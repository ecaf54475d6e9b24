"""Signal metadata: telegen.* attributes that tell what a family is about, by the prefix of its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from telegen.config.model import SignalFields, SignalMetadata

STATE, CONTAINERS, MACHINE, CUSTOM = "Kubernetes State", "Container Metrics", "Machine Metrics", "Custom Resource State"
EVENTS = "Kubernetes Events"
API, PROCFS = "api", "procfs"
KUBESTATE, CADVISOR, KUBEMETRICS = "telegen.kubestate", "telegen.cadvisor", "telegen.kubemetrics"


class Signal(NamedTuple):
    """Metadata of the families of one prefix.

    Attributes:
        module: the package that makes the signal.
        collector: source of the data: api or procfs.
    """

    category: str
    subcategory: str
    module: str
    collector: str
    description: str


def _state(kind: str, subcategory: str = "") -> Signal:
    return Signal(STATE, subcategory or f"{kind} Metrics", KUBESTATE, API, f"State of {kind} objects from the Kubernetes API")


def _container(subject: str, subcategory: str) -> Signal:
    return Signal(CONTAINERS, subcategory, CADVISOR, PROCFS, f"{subject} of containers from cgroups and procfs")


OTHER = Signal(CUSTOM, "Custom Resource Metrics", KUBESTATE, API, "State of custom resources from the Kubernetes API")
"""Families without a prefix of their own: those of custom resources, whose names are free."""

PRODUCTS: Mapping[str, str] = {
    "antrea": "Antrea",
    "argo": "Argo Rollouts",
    "argocd": "Argo CD",
    "capi": "Cluster API",
    "carvel": "Carvel",
    "certmanager": "cert-manager",
    "cnpg": "CloudNativePG",
    "cluster_operator": "OpenShift",
    "cluster_version": "OpenShift",
    "contour": "Contour",
    "crossplane": "Crossplane",
    "externalsecrets": "External Secrets",
    "gatewayapi": "Gateway API",
    "gotk": "Flux",
    "kube_customresource_gateway": "Gateway API",
    "kube_customresource_verticalpodautoscaler": "VerticalPodAutoscaler",
    "kube_verticalpodautoscaler": "VerticalPodAutoscaler",
    "karpenter": "Karpenter",
    "keda": "KEDA",
    "knative": "Knative",
    "mapi": "OpenShift",
    "nsx": "NSX",
    "olm": "Operator Lifecycle Manager",
    "openshift": "OpenShift",
    "promop": "Prometheus Operator",
    "rook": "Rook",
    "strimzi": "Strimzi",
    "tanzu": "Tanzu",
    "velero": "Velero",
    "vmoperator": "VM Operator",
    "vsphere": "vSphere",
}
"""Product of the families of packs by prefix."""


def _product(name: str) -> Signal:
    return Signal(CUSTOM, f"{name} Metrics", KUBESTATE, API, f"State of {name} objects from the Kubernetes API")


SIGNALS: Mapping[str, Signal] = {
    **{prefix: _product(name) for prefix, name in PRODUCTS.items()},
    "kube_certificatesigningrequest": _state("CertificateSigningRequest"),
    "kube_clusterrole": _state("ClusterRole"),
    "kube_clusterrolebinding": _state("ClusterRoleBinding"),
    "kube_configmap": _state("ConfigMap"),
    "kube_cronjob": _state("CronJob"),
    "kube_customresource": OTHER,
    "kube_daemonset": _state("DaemonSet"),
    "kube_deployment": _state("Deployment"),
    "kube_endpoint": _state("Endpoints"),
    "kube_endpointslice": _state("EndpointSlice"),
    "kube_horizontalpodautoscaler": _state("HorizontalPodAutoscaler"),
    "kube_ingress": _state("Ingress"),
    "kube_ingressclass": _state("IngressClass"),
    "kube_job": _state("Job"),
    "kube_lease": _state("Lease"),
    "kube_limitrange": _state("LimitRange"),
    "kube_mutatingadmissionpolicy": _state("MutatingAdmissionPolicy"),
    "kube_mutatingadmissionpolicybinding": _state("MutatingAdmissionPolicyBinding"),
    "kube_mutatingwebhookconfiguration": _state("MutatingWebhookConfiguration"),
    "kube_namespace": _state("Namespace"),
    "kube_networkpolicy": _state("NetworkPolicy"),
    "kube_node": _state("Node"),
    "kube_persistentvolume": _state("PersistentVolume", "Storage Metrics"),
    "kube_persistentvolumeclaim": _state("PersistentVolumeClaim", "Storage Metrics"),
    "kube_pod": _state("Pod"),
    "kube_poddisruptionbudget": _state("PodDisruptionBudget"),
    "kube_replicaset": _state("ReplicaSet"),
    "kube_replicationcontroller": _state("ReplicationController"),
    "kube_resourcequota": _state("ResourceQuota"),
    "kube_role": _state("Role"),
    "kube_rolebinding": _state("RoleBinding"),
    "kube_secret": _state("Secret"),
    "kube_service": _state("Service"),
    "kube_serviceaccount": _state("ServiceAccount"),
    "kube_statefulset": _state("StatefulSet"),
    "kube_storageclass": _state("StorageClass", "Storage Metrics"),
    "kube_validatingadmissionpolicy": _state("ValidatingAdmissionPolicy"),
    "kube_validatingadmissionpolicybinding": _state("ValidatingAdmissionPolicyBinding"),
    "kube_validatingwebhookconfiguration": _state("ValidatingWebhookConfiguration"),
    "kube_volumeattachment": _state("VolumeAttachment", "Storage Metrics"),
    "container": _container("Properties", "Container Properties"),
    "container_blkio": _container("Block I/O", "Disk Utilization"),
    "container_cpu": _container("CPU time", "CPU Utilization"),
    "container_file": _container("Open files", "Process Utilization"),
    "container_fs": _container("File systems and disk I/O", "Disk Utilization"),
    "container_hugetlb": _container("Huge pages", "Memory Utilization"),
    "container_memory": _container("Memory", "Memory Utilization"),
    "container_network": _container("Network traffic", "Network Utilization"),
    "container_oom": _container("Out-of-memory kills", "Memory Utilization"),
    "container_pressure": _container("Pressure stall times", "Resource Pressure"),
    "container_processes": _container("Processes", "Process Utilization"),
    "container_referenced": _container("Referenced memory", "Memory Utilization"),
    "container_sockets": _container("Open sockets", "Process Utilization"),
    "container_threads": _container("Threads", "Process Utilization"),
    "container_ulimits": _container("Limits of processes", "Process Utilization"),
    "telegen_container_terminations": Signal(
        CONTAINERS, "Container Terminations", CADVISOR, API, "Ends of containers from the status of the node's pods"
    ),
    "cadvisor": Signal(MACHINE, "Versions", CADVISOR, PROCFS, "Versions of the kernel and the operating system of the node"),
    "telegen_apiservice": Signal(STATE, "APIService Metrics", KUBESTATE, API, "Availability of the servers behind the Kubernetes API"),
    "telegen_crd": _state("CustomResourceDefinition"),
    "telegen_customresource": Signal(CUSTOM, "Custom Resource Health", KUBESTATE, API, "Health of objects from the Kubernetes API"),
    "machine": Signal(MACHINE, "Hardware", CADVISOR, PROCFS, "Hardware of the node from procfs and sysfs"),
}
"""Metadata by prefix. The longest prefix that ends at a `_`, or at the end of the name, counts."""

EVENT_SIGNAL = Signal(EVENTS, "Cluster Events", KUBEMETRICS, API, "Events of the cluster from the Kubernetes API as OTLP logs")
"""Metadata of the logs of Kubernetes events."""

TERMINATION_SIGNAL = Signal(
    CONTAINERS,
    "Container Terminations",
    CADVISOR,
    API,
    "Ends of containers from the status of the node's pods, with the last readings of their cgroups, as OTLP logs",
)
"""Metadata of the logs of ended containers."""


def signal_of(family: str) -> Signal:
    """Return the metadata of a family."""
    prefix = family
    while prefix:
        if prefix in SIGNALS:
            return SIGNALS[prefix]
        prefix = prefix.rpartition("_")[0]
    return OTHER


def signal_attributes(signal: Signal, settings: SignalMetadata) -> dict[str, str]:
    """Return the attributes of a signal that the settings switch on."""
    return {name: value for name, value in _all(signal, settings.fields) if value} if settings.enabled else {}


def _all(signal: Signal, fields: SignalFields) -> Iterator[tuple[str, str]]:
    yield "telegen.signal.category", signal.category if fields.enable_category else ""
    yield "telegen.signal.subcategory", signal.subcategory if fields.enable_subcategory else ""
    yield "telegen.source.module", signal.module if fields.enable_source_module else ""
    yield "telegen.collector.type", signal.collector if fields.enable_collector_type else ""
    yield "telegen.signal.description", signal.description if fields.enable_description else ""
