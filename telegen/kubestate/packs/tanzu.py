"""Tanzu and vSphere: workload clusters, virtual machines, Carvel packages, NSX, Antrea, Contour, and storage of a Supervisor."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import (
    Spec,
    condition_values,
    conditions,
    current,
    differs,
    each,
    elements,
    first,
    holds,
    info,
    kind,
    number,
    reader,
    rows,
    size,
    states,
    text_at,
)
from telegen.metrics.family import Object, Row

RUN, VM, CNS = "run.tanzu.vmware.com/v1alpha3", "vmoperator.vmware.com/v1alpha6", "cns.vmware.com/v1alpha2"
NSX, ANTREA = "crd.nsx.vmware.com/v1alpha1", "crd.antrea.io/v1beta1"
VM_OLDER = ("v1alpha5", "v1alpha4", "v1alpha3", "v1alpha2", "v1alpha1")
ADDONS, VOLUMES = "status.addons", "status.volumes"
ADDRESSES = ("status.network.primaryIP4", "status.network.primaryIP6", "status.vmIp")
AGENT, CONTROLLER = "agentConditions", "controllerConditions"

_addons, _volumes, _name = reader(ADDONS), reader(VOLUMES), text_at("name")
_addresses = [text_at(path) for path in ADDRESSES]


def _addon_conditions(obj: Object) -> Iterable[Row]:
    return [(_name(one), *state) for one in elements(_addons(obj)) for state in condition_values(one.get("conditions")).items()]


def _has_ip(obj: Object) -> bool:
    return any(read(obj) for read in _addresses)


def _volumes_attached(obj: Object) -> int:
    return sum(one.get("attached") is True for one in elements(_volumes(obj)))


def _carvel(api_version: str, name: str, plural: str, *specs: Spec) -> PackResource:
    """Make a kind of Carvel. Its conditions exist only while they are True."""
    return kind(
        f"carvel_{name.lower()}", api_version, plural, name, *specs,
        number("paused", "1 while changes are not applied", "spec.paused", absent=0),
        number("reconcile_failures", "Failures in a row", "status.consecutiveReconcileFailures", absent=0),
        holds("reconcile_succeeded", "1 if the last reconciliation succeeded", "ReconcileSucceeded"),
        holds("reconcile_failed", "1 if the last reconciliation failed", "ReconcileFailed"),
        conditions(),
    )


def _nsx(name: str, plural: str, namespaced: bool = True) -> PackResource:
    return kind(f"nsx_{name.lower()}", NSX, plural, name, conditions(), namespaced=namespaced)


def _antrea(name: str, component: str, path: str, *specs: Spec, label: str = "") -> PackResource:
    """Make a component of Antrea. Its health is always True: only the time of its last heartbeat tells whether it runs."""
    heartbeat = (path, f"[type={component.capitalize()}Healthy]", "lastHeartbeatTime")
    return kind(
        f"antrea_{component}", ANTREA, f"{name.lower()}s", name,
        number("heartbeat_timestamp_seconds", "Last heartbeat in Unix seconds", heartbeat),
        conditions("condition", path, "type"), *specs, namespaced=False, label=label,
    )


CLUSTERS = (
    kind(
        "tanzu_kubernetescluster", RUN, "tanzukubernetesclusters", "TanzuKubernetesCluster",
        info(
            "info", "Version and release of a cluster", version=first("spec.distribution.fullVersion", "status.version"),
            tkr=first("spec.topology.controlPlane.tkr.reference.name", ("metadata", "labels", "run.tanzu.vmware.com/tkr")),
        ),
        current("status_phase", "Phase", "status.phase", "phase"),
        number("total_worker_replicas", "Worker nodes", "status.totalWorkerReplicas"),
        each("nodepool_replicas", "Desired nodes of each pool", "spec.topology.nodePools", "replicas", nodepool="name"),
        rows("addon_condition", "State of each condition of each add-on", _addon_conditions, ("addon", "type"), ADDONS),
        conditions(), older=("v1alpha2",),
    ),
    kind(
        "tanzu_kubernetesrelease", RUN, "tanzukubernetesreleases", "TanzuKubernetesRelease",
        info(
            "info", "Versions of a release",
            version="spec.version", kubernetes_version=first("spec.kubernetes.version", "spec.kubernetesVersion"),
        ),
        conditions(), namespaced=False, older=("v1alpha2", "v1alpha1"),
    ),
    # The VM Operator itself serves vmservice_vm_*.
    kind(
        "vmoperator_virtualmachine", VM, "virtualmachines", "VirtualMachine",
        info(
            "info", "Class, image and place of a virtual machine",
            **{"class": "spec.className"}, image=first("spec.imageName", "spec.image.name"), zone="status.zone",
            node=first("status.nodeName", "status.host"), power_state="status.powerState",
        ),
        differs("power_state_mismatch", "1 while the power state is not the desired one", "spec.powerState", "status.powerState"),
        rows("has_ip", "1 if the virtual machine has an address", _has_ip, (), *ADDRESSES),
        rows("volumes_attached", "Volumes that are attached", _volumes_attached, (), VOLUMES),
        conditions(), older=VM_OLDER,
    ),
)

PACKAGES = (
    # kapp-controller itself serves kappctrl_*. status.deploy has the output of whole runs, of which nothing is decoded.
    _carvel(
        "kappctrl.k14s.io/v1alpha1", "App", "apps",
        number("fetch_exit_code", "Exit code of the last fetch", "status.fetch.exitCode"),
        number("deploy_exit_code", "Exit code of the last deployment", "status.deploy.exitCode"),
        number("deploy_updated_timestamp_seconds", "Last change of the deployment in Unix seconds", "status.deploy.updatedAt"),
    ),
    _carvel(
        "packaging.carvel.dev/v1alpha1", "PackageInstall", "packageinstalls",
        info(
            "info", "Package and version of an installation",
            package="spec.packageRef.refName", version="status.version", last_attempted_version="status.lastAttemptedVersion",
        ),
    ),
    _carvel("packaging.carvel.dev/v1alpha1", "PackageRepository", "packagerepositories"),
)

NETWORKS = (
    _nsx("Subnet", "subnets"),
    _nsx("SubnetSet", "subnetsets"),
    _nsx("SubnetPort", "subnetports"),
    _nsx("SecurityPolicy", "securitypolicies"),
    _nsx("StaticRoute", "staticroutes"),
    _nsx("VPCNetworkConfiguration", "vpcnetworkconfigurations", namespaced=False),
    kind("nsx_networkinfo", NSX, "networkinfos", "NetworkInfo", size("vpcs", "VPCs of a namespace", "vpcs")),
    kind(
        "nsx_nsxserviceaccount", "nsx.vmware.com/v1alpha1", "nsxserviceaccounts", "NSXServiceAccount",
        current("status_phase", "Phase", "status.phase", "phase"), conditions(),
    ),
    _antrea("AntreaAgentInfo", "agent", AGENT, number("local_pods", "Pods of the node", "localPodNum"), label="node"),
    _antrea("AntreaControllerInfo", "controller", CONTROLLER),
    kind(
        "antrea_clusternetworkpolicy", ANTREA, "clusternetworkpolicies", "ClusterNetworkPolicy",
        current("status_phase", "Phase", "status.phase", "phase"),
        number("current_nodes_realized", "Nodes that apply the policy", "status.currentNodesRealized", absent=0),
        number("desired_nodes_realized", "Nodes that have to apply the policy", "status.desiredNodesRealized", absent=0),
        conditions(), namespaced=False,
    ),
    # Contour itself serves contour_httpproxy, _valid, _invalid, _orphaned and _root.
    kind(
        "contour_httpproxy", "projectcontour.io/v1", "httpproxies", "HTTPProxy",
        info("info", "Host name of a proxy", fqdn="spec.virtualhost.fqdn"),
        states("status", "Status", "status.currentStatus", ("valid", "invalid", "orphaned"), "status"),
        size("errors", "Errors of the configuration", ("status", "conditions", "[type=Valid]", "errors")),
    ),
)

STORAGE = (
    kind(
        "vsphere_storagepolicyusage", CNS, "storagepolicyusages", "StoragePolicyUsage",
        number("used_bytes", "Used bytes", "status.quotaUsage.used", "status.resourcetypelevelquotausage.used"),
        number("reserved_bytes", "Reserved bytes", "status.quotaUsage.reserved", "status.resourcetypelevelquotausage.reserved"),
        more={"storage_class": "spec.storageClassName"}, older=("v1alpha1",),
    ),
    kind(
        "vsphere_storagepolicyquota", CNS, "storagepolicyquotas", "StoragePolicyQuota",
        number("limit_bytes", "Most bytes", "spec.limit"), older=("v1alpha1",),
    ),
)

PACK = Pack(
    "tanzu",
    "Workload clusters, virtual machines, packages, networks and storage of Tanzu and vSphere. Its machines are those of cluster-api.",
    (*CLUSTERS, *PACKAGES, *NETWORKS, *STORAGE),
)
