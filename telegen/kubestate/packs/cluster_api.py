"""Cluster API: clusters, machines and their providers, with the families of its own configuration of kube-state-metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from telegen.kubestate.custom.model import Family
from telegen.kubestate.packs.described import Describing
from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import Path, kind

CORE, OLDER = "cluster.x-k8s.io", ("v1beta1",)
OBJECT: Mapping[str, Path] = {"name": "metadata.name", "namespace": "metadata.namespace", "uid": "metadata.uid"}
SPEC: Mapping[str, Path] = {**OBJECT, "cluster_name": "spec.clusterName"}
LABELLED: Mapping[str, Path] = {**OBJECT, "cluster_name": ("metadata", "labels", "cluster.x-k8s.io/cluster-name")}
OWNED: Mapping[str, Path] = {**OBJECT, "cluster_name": ("metadata", "ownerReferences", "[kind=Cluster]", "name")}
Families = Callable[[Describing, bool], tuple[Family, ...]]
"""Makes the families of a kind, for the older version or not."""

STATUSES = ("True", "False", "Unknown")
CLUSTER_PHASES = ("Pending", "Provisioning", "Provisioned", "Deleting", "Failed", "Unknown")
MACHINE_PHASES = ("Pending", "Provisioning", "Provisioned", "Running", "Updating", "Deleting", "Deleted", "Failed", "Unknown")
SCALING_PHASES = ("ScalingUp", "ScalingDown", "Running", "Failed", "Unknown")
INFRASTRUCTURE = (
    *("DevCluster", "DevMachine", "DockerCluster", "DockerMachine", "AWSCluster", "AWSMachine"),
    *("AzureCluster", "AzureMachine", "GCPCluster", "GCPMachine", "OpenStackCluster", "OpenStackMachine"),
    *("Metal3Cluster", "Metal3Machine", "NutanixCluster", "NutanixMachine", "KubevirtCluster", "KubevirtMachine"),
)
"""Kinds of providers of machines."""
VSPHERE, VSPHERE_KINDS = ("infrastructure", "vmware.infrastructure"), ("VSphereCluster", "VSphereMachine")
"""Groups of vSphere, without and with a Supervisor, and their kinds."""


def _conditions(of: Describing) -> tuple[Family, ...]:
    return (
        of.states("status_condition", "State of each condition", "status.conditions", "status", STATUSES, "status", type="type"),
        of.gauge(
            "status_condition_last_transition_time", "Last change of each condition in Unix seconds", "status.conditions",
            "lastTransitionTime", type="type", status="status",
        ),
    )


def _core(of: Describing) -> tuple[Family, ...]:
    return (
        of.gauge("created", "Creation time in Unix seconds", "metadata.creationTimestamp"),
        of.info("annotation_paused", "Paused by an annotation", ("metadata", "annotations", "cluster.x-k8s.io/paused"), paused_value=()),
        *_conditions(of),
    )


def _owner(of: Describing) -> Family:
    parts = {f"owner_{part}": part for part in ("kind", "name", "uid")}
    return of.info("owner", "Owner", "metadata.ownerReferences", **parts, owner_is_controller="controller")


def _reference(name: str, path: str) -> dict[str, Path]:
    return {f"{name}_reference_{part}": f"{path}.{part}" for part in ("kind", "name")}


def _template_info(of: Describing) -> Family:
    template = "spec.template.spec"
    references = _reference("bootstrap", f"{template}.bootstrap.configRef")
    references |= _reference("infrastructure", f"{template}.infrastructureRef")
    return of.info("info", "Version and templates of the machines", version=f"{template}.version", **references)


REPLICAS = {"replicas": "replicas", "replicas_available": "availableReplicas", "replicas_ready": "readyReplicas"}
UNAVAILABLE = {"replicas_unavailable": "unavailableReplicas"}
UPDATED = {"replicas_updated": "updatedReplicas", "replicas_uptodate": "updatedReplicas"}
"""Families of the older version and their fields; updatedReplicas is shown under the newer name as well."""


def _replicas(of: Describing, older: bool, *only_older: Mapping[str, str]) -> tuple[Family, ...]:
    """Make the families of counts of the status.

    Args:
        only_older: families of the older version besides the common ones.
    """
    counts = dict(REPLICAS)
    for further in only_older if older else ({"replicas_uptodate": "upToDateReplicas"},):
        counts |= further
    return tuple(of.gauge(f"status_{name}", f"Machines: {field}", f"status.{field}", zero=True) for name, field in counts.items())


def _cluster(of: Describing, older: bool) -> tuple[Family, ...]:
    topology: dict[str, Path] = {"topology_version": "spec.topology.version", "topology_classref_name": "spec.topology.classRef.name"}
    topology["topology_classref_namespace"] = "spec.topology.classRef.namespace"
    if older:
        topology |= {"topology_class": "spec.topology.class", "topology_classref_name": "spec.topology.class"}
        topology["topology_classref_namespace"] = "spec.topology.classNamespace"
    endpoint = {f"control_plane_endpoint_{part}": f"spec.controlPlaneEndpoint.{part}" for part in ("host", "port")}
    references = {**_reference("control_plane", "spec.controlPlaneRef"), **_reference("infrastructure", "spec.infrastructureRef")}
    return (
        *_core(of),
        of.info("info", "Topology, end point and references of a cluster", **topology, **endpoint, **references),
        of.gauge("spec_paused", "1 while the cluster is paused", "spec.paused", zero=True),
        of.states("status_phase", "Phase", "status.phase", "phase", CLUSTER_PHASES),
    )


def _named(of: Describing, older: bool) -> tuple[Family, ...]:
    """Make the families of a kind of which only the name is told."""
    return (*_core(of), of.info("info", "Name", name="metadata.name"))


def _machine(of: Describing, older: bool) -> tuple[Family, ...]:
    node = {"kernel_version": "kernelVersion", "kubelet_version": "kubeletVersion", "kube_proxy_version": "kubeProxyVersion"}
    node |= {"container_runtime_version": "containerRuntimeVersion", "os_image": "osImage"}
    labels: dict[str, Path] = {"version": "spec.version", "provider_id": "spec.providerID", "failure_domain": "spec.failureDomain"}
    labels |= {name: f"status.nodeInfo.{field}" for name, field in node.items()}
    labels["control_plane_name"] = ("metadata", "labels", "cluster.x-k8s.io/control-plane-name")
    labels |= {**_reference("bootstrap", "spec.bootstrap.configRef"), **_reference("infrastructure", "spec.infrastructureRef")}
    references: dict[str, Path] = {"node_name": "name", "node_uid": "uid"} if older else {"node_name": "name"}
    return (
        *_core(of),
        of.info("info", "Version, node and references of a machine", **labels),
        of.info("addresses", "Address of a machine", "status.addresses", type="type", address="address"),
        of.info("status_noderef", "Node of a machine", "status.nodeRef", **references),
        of.gauge("status_certificatesexpirydate", "End of the certificates in Unix seconds", "status.certificatesExpiryDate", zero=True),
        of.states("status_phase", "Phase", "status.phase", "phase", MACHINE_PHASES),
        *((_owner(of),) if older else ()),
    )


def _deployment(of: Describing, older: bool) -> tuple[Family, ...]:
    rolling = "spec.strategy.rollingUpdate" if older else "spec.rollout.strategy.rollingUpdate"
    return (
        *_core(of), _template_info(of), *_replicas(of, older, UNAVAILABLE, UPDATED),
        of.gauge("spec_replicas", "Desired machines", "spec.replicas"),
        of.gauge("spec_paused", "1 while the deployment is paused", "spec.paused", zero=True),
        of.gauge("spec_strategy_rollingupdate_max_surge", "Machines above the desired number during a rollout", f"{rolling}.maxSurge"),
        of.gauge("spec_strategy_rollingupdate_max_unavailable", "Machines that may be unavailable then", f"{rolling}.maxUnavailable"),
        of.states("status_phase", "Phase", "status.phase", "phase", SCALING_PHASES),
        *((_owner(of),) if older else ()),
    )


def _set(of: Describing, older: bool) -> tuple[Family, ...]:
    replicas = of.gauge("spec_replicas", "Desired machines", "spec.replicas", zero=True)
    counts = _replicas(of, older, {"replicas_fully_labeled": "fullyLabeledReplicas"})
    return (*_core(of), _template_info(of), *counts, replicas, *((_owner(of),) if older else ()))


def _pool(of: Describing, older: bool) -> tuple[Family, ...]:
    replicas = of.gauge("spec_replicas", "Desired machines", "spec.replicas")
    phase = of.states("status_phase", "Phase", "status.phase", "phase", SCALING_PHASES)
    return (*_core(of), _template_info(of), *_replicas(of, older, UNAVAILABLE), replicas, phase, *((_owner(of),) if older else ()))


def _control_plane(of: Describing, older: bool) -> tuple[Family, ...]:
    rolling = "spec.rolloutStrategy.rollingUpdate" if older else "spec.rollout.strategy.rollingUpdate"
    infrastructure = "spec.machineTemplate.infrastructureRef" if older else "spec.machineTemplate.spec.infrastructureRef"
    return (
        *_core(of), *_replicas(of, older, UNAVAILABLE, UPDATED),
        of.info("info", "Version and template of the machines", version="spec.version", **_reference("infrastructure", infrastructure)),
        of.gauge("spec_replicas", "Desired machines", "spec.replicas"),
        of.gauge("spec_strategy_rollingupdate_max_surge", "Machines above the desired number during a rollout", f"{rolling}.maxSurge"),
        *((_owner(of),) if older else ()),
    )


def _health_check(of: Describing, older: bool) -> tuple[Family, ...]:
    limit = "spec.unhealthyRange" if older else "spec.remediation.triggerIf.unhealthyInRange"
    return (
        *_core(of),
        of.info("info", "Cluster and limits of a check", cluster_name="spec.clusterName", remediation_triggerif_unhealthyinrange=limit),
        of.gauge("status_current_healthy", "Healthy machines", "status.currentHealthy", zero=True),
        of.gauge("status_expected_machines", "Machines that are checked", "status.expectedMachines", zero=True),
        of.gauge("status_remediations_allowed", "Machines that may be replaced now", "status.remediationsAllowed", zero=True),
    )


def _vsphere(of: Describing, older: bool) -> tuple[Family, ...]:
    """Make the families of a kind of vSphere: the dashboard of Cluster API has their name."""
    return (*_conditions(of), of.info("info", "Name", name="metadata.name"))


def _only_conditions(of: Describing, older: bool) -> tuple[Family, ...]:
    return _conditions(of)


def _kind(
    name: str, plural: str, families: Families, labels: Mapping[str, Path], group: str = CORE, namespaced: bool = True
) -> PackResource:
    of = Describing(f"capi_{name.lower()}", labels)
    return kind(
        of.prefix, f"{group}/v1beta2", plural, name, label="name", older=OLDER, namespaced=namespaced,
        described=families(of, False), described_older=families(of, True),
    )


PACK = Pack(
    "cluster-api",
    "Clusters and machines of Cluster API, with the families of its configuration of kube-state-metrics.",
    (
        _kind("Cluster", "clusters", _cluster, OBJECT),
        _kind("ClusterClass", "clusterclasses", _named, OBJECT),
        _kind("Machine", "machines", _machine, SPEC),
        _kind("MachineDeployment", "machinedeployments", _deployment, SPEC),
        _kind("MachineSet", "machinesets", _set, SPEC),
        _kind("MachinePool", "machinepools", _pool, SPEC),
        _kind("MachineHealthCheck", "machinehealthchecks", _health_check, SPEC),
        _kind("KubeadmControlPlane", "kubeadmcontrolplanes", _control_plane, OWNED, f"controlplane.{CORE}"),
        _kind("KubeadmConfig", "kubeadmconfigs", _named, LABELLED, f"bootstrap.{CORE}"),
        *[_kind(name, f"{name.lower()}s", _only_conditions, LABELLED, f"infrastructure.{CORE}") for name in INFRASTRUCTURE],
        *[_kind(name, f"{name.lower()}s", _vsphere, LABELLED, f"{provider}.{CORE}") for provider in VSPHERE for name in VSPHERE_KINDS],
        _kind("IPAddressClaim", "ipaddressclaims", _only_conditions, LABELLED, f"ipam.{CORE}"),
        _kind("ExtensionConfig", "extensionconfigs", _only_conditions, OBJECT, f"runtime.{CORE}", namespaced=False),
        _kind("ClusterResourceSet", "clusterresourcesets", _only_conditions, OBJECT, f"addons.{CORE}"),
    ),
)
