"""CloudNativePG: clusters of PostgreSQL and their backups."""

from __future__ import annotations

from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.specs import conditions, current, info, kind, number

GROUP = "postgresql.cnpg.io/v1"

PACK = Pack(
    "cloudnative-pg",
    "Clusters, backups and poolers of CloudNativePG.",
    (
        # The instances themselves serve cnpg_collector_* and others.
        kind(
            "cnpg_cr_cluster", GROUP, "clusters", "Cluster",
            number("instances", "Desired instances", "spec.instances"),
            number("ready_instances", "Ready instances", "status.readyInstances", absent=0),
            info("info", "Primary and image of a cluster", primary="status.currentPrimary", image="status.image"),
            current("phase", "Phase", "status.phase", "phase"),
            conditions(),
            # Not cluster: that is the label of the agent's own cluster.
            label="cluster_name",
        ),
        kind(
            "cnpg_cr_backup", GROUP, "backups", "Backup",
            current("phase", "Phase", "status.phase", "phase"),
            number("stopped_timestamp_seconds", "End of the backup in Unix seconds", "status.stoppedAt"),
            more={"cluster_name": "spec.cluster.name"},
        ),
        kind(
            "cnpg_cr_scheduledbackup", GROUP, "scheduledbackups", "ScheduledBackup",
            number("last_schedule_timestamp_seconds", "Last backup in Unix seconds", "status.lastScheduleTime"),
            number("next_schedule_timestamp_seconds", "Next backup in Unix seconds", "status.nextScheduleTime"),
            number("suspended", "1 while no backups are made", "spec.suspend", absent=0),
            more={"cluster_name": "spec.cluster.name"},
        ),
        kind(
            "cnpg_cr_pooler", GROUP, "poolers", "Pooler",
            number("instances", "Desired instances", "spec.instances"),
            number("status_instances", "Instances", "status.instances", absent=0),
            more={"cluster_name": "spec.cluster.name"},
        ),
    ),
)
