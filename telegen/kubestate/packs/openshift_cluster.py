"""The platform of an OpenShift cluster: its operators, version, machines and image streams."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.packs.openshift_operator_names import OPERATOR_NAMES
from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.specs import (
    conditions,
    current,
    each,
    elements,
    info,
    kind,
    number,
    phases,
    reader,
    reason,
    replicas,
    rows,
    size,
    text_at,
)
from telegen.metrics.family import Object, Row

CONFIG, MACHINE = "config.openshift.io/v1", "machine.openshift.io/v1beta1"
ANNOTATIONS, LABELS = ("metadata", "annotations"), ("metadata", "labels")
NODE_GROUP = "machine.openshift.io/cluster-api-autoscaler-node-group"
HISTORY = "status.history"

_tags, _tag = reader("status.tags"), text_at("tag")
_import_reason, _reason = text_at("reason"), reason("reason").convert


def _failed_imports(obj: Object) -> Iterable[Row]:
    """Return each tag whose last import has failed."""
    return [
        (_tag(tag), _reason(_import_reason(condition)), 1)
        for tag in elements(_tags(obj))
        for condition in elements(tag.get("conditions"))
        if condition.get("type") == "ImportSuccess" and condition.get("status") == "False"
    ]


KINDS = (
    kind(
        "openshift_clusteroperator", CONFIG, "clusteroperators", "ClusterOperator",
        conditions(),
        each("version_info", "Version of each operand", "status.versions", operand="name", version="version"),
        namespaced=False,
    ),
    kind(
        "openshift_clusterversion", CONFIG, "clusterversions", "ClusterVersion",
        info(
            "info", "Version of the cluster",
            cluster_id="spec.clusterID", channel="spec.channel", version="status.desired.version", image="status.desired.image",
        ),
        each(
            "history_started_timestamp_seconds", "Start of each of the last five updates in Unix seconds", HISTORY, "startedTime", 5,
            version="version", state="state",
        ),
        each(
            "history_completed_timestamp_seconds", "End of each of the last five updates in Unix seconds", HISTORY, "completionTime", 5,
            version="version", state="state",
        ),
        size("available_updates", "Updates that are offered", "status.availableUpdates"),
        conditions(),
        namespaced=False,
    ),
    kind(
        "openshift_machine", MACHINE, "machines", "Machine",
        info(
            "info", "Instance and node of a machine",
            provider_id="spec.providerID", node="status.nodeRef.name",
            instance_type=(*LABELS, "machine.openshift.io/instance-type"), zone=(*LABELS, "machine.openshift.io/zone"),
        ),
        phases("Provisioning", "Provisioned", "Running", "Deleting", "Failed"),
        current("error", "Reason of a failure", reason("status.errorReason"), "reason"),
        conditions(),
    ),
    kind(
        "openshift_machineset", MACHINE, "machinesets", "MachineSet",
        number("spec_replicas", "Desired machines", "spec.replicas"),
        *replicas("replicas", "readyReplicas", "availableReplicas"),
        number("autoscaler_min_replicas", "Fewest machines for the autoscaler", (*ANNOTATIONS, f"{NODE_GROUP}-min-size")),
        number("autoscaler_max_replicas", "Most machines for the autoscaler", (*ANNOTATIONS, f"{NODE_GROUP}-max-size")),
    ),
    kind(
        "openshift_machinehealthcheck", MACHINE, "machinehealthchecks", "MachineHealthCheck",
        number("expected_machines", "Machines that are checked", "status.expectedMachines", absent=0),
        number("current_healthy", "Healthy machines", "status.currentHealthy", absent=0),
        number("remediations_allowed", "Machines that may be replaced now", "status.remediationsAllowed", absent=0),
        conditions(),
    ),
    kind(
        "openshift_controlplanemachineset", "machine.openshift.io/v1", "controlplanemachinesets", "ControlPlaneMachineSet",
        number("spec_replicas", "Desired machines", "spec.replicas"),
        *replicas("replicas", "readyReplicas", "updatedReplicas", "unavailableReplicas"),
        conditions(),
    ),
    kind(
        "openshift_machineconfigpool", "machineconfiguration.openshift.io/v1", "machineconfigpools", "MachineConfigPool",
        number("machines", "Machines of the pool", "status.machineCount", absent=0),
        number("updated_machines", "Machines with the desired configuration", "status.updatedMachineCount", absent=0),
        number("ready_machines", "Updated machines that are ready", "status.readyMachineCount", absent=0),
        number("unavailable_machines", "Machines that are not available", "status.unavailableMachineCount", absent=0),
        number("degraded_machines", "Machines that cannot be updated", "status.degradedMachineCount", absent=0),
        number("spec_paused", "1 while updates are paused", "spec.paused", absent=0),
        conditions(),
        each(
            "certificate_expiry_timestamp_seconds", "End of each certificate in Unix seconds", "status.certExpirys", "expiry",
            bundle="bundle", subject="subject",
        ),
        namespaced=False,
    ),
    kind(
        "openshift_imagestream", "image.openshift.io/v1", "imagestreams", "ImageStream",
        info("info", "Repository of an image stream", repository="status.dockerImageRepository"),
        size("tags", "Tags with images", "status.tags"),
        rows("tag_import_failed", "Tag whose last import has failed, always 1", _failed_imports, ("tag", "reason"), "status.tags"),
    ),
    # Namespaces have what is known of projects; a watch of projects would read it once more.
    kind(
        "openshift_project", "/v1", "namespaces", "Namespace",
        info(
            "info", "Requester of a project",
            requester=(*ANNOTATIONS, "openshift.io/requester"), display_name=(*ANNOTATIONS, "openshift.io/display-name"),
        ),
        label="project", namespaced=False, selects=False, beside="project.openshift.io",
    ),
)

PACK = Pack(
    "openshift-cluster",
    "The platform of an OpenShift cluster: its operators, version, machines, image streams and projects.",
    KINDS,
    {"operator": (*OPERATOR_NAMES, *[one for one in KINDS if one.table.kind not in {other.table.kind for other in OPERATOR_NAMES}])},
)
