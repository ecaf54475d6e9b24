"""Velero: backups, restores, schedules and storage locations."""

from __future__ import annotations

from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.specs import Spec, fields, is_text, kind, number, phases

GROUP = "velero.io/v1"
BACKUP_PHASES = (
    *("New", "FailedValidation", "InProgress", "WaitingForPluginOperations", "WaitingForPluginOperationsPartiallyFailed", "Finalizing"),
    *("FinalizingPartiallyFailed", "Completed", "PartiallyFailed", "Failed", "Deleting"),
)


def _run(done: str) -> tuple[Spec, ...]:
    """Return the families that backups and restores share."""
    return (
        phases(*BACKUP_PHASES),
        number("start_timestamp_seconds", "Start in Unix seconds", "status.startTimestamp"),
        number("completion_timestamp_seconds", "End in Unix seconds", "status.completionTimestamp"),
        number("errors", "Errors", "status.errors", absent=0),
        number("warnings", "Warnings", "status.warnings", absent=0),
        fields("items", "Items of the cluster", "state", total="status.progress.totalItems", done=f"status.progress.{done}"),
    )


PACK = Pack(
    "velero",
    "Backups, restores, schedules and storage locations of Velero.",
    (
        # Velero itself serves velero_backup_* and velero_restore_*.
        kind(
            "velero_cr_backup", GROUP, "backups", "Backup",
            *_run("itemsBackedUp"),
            number("expiration_timestamp_seconds", "Time of deletion in Unix seconds", "status.expiration"),
            more={"schedule": ("metadata", "labels", "velero.io/schedule-name")},
        ),
        kind(
            "velero_cr_restore", GROUP, "restores", "Restore",
            *_run("itemsRestored"),
            more={"backup": "spec.backupName", "schedule": "spec.scheduleName"},
        ),
        kind(
            "velero_cr_schedule", GROUP, "schedules", "Schedule",
            phases("New", "Enabled", "FailedValidation"),
            number("last_backup_timestamp_seconds", "Last backup in Unix seconds", "status.lastBackup"),
            number("paused", "1 while the schedule is paused", "spec.paused", absent=0),
        ),
        kind(
            "velero_cr_storage_location", GROUP, "backupstoragelocations", "BackupStorageLocation",
            is_text("available", "1 if the location can be used", "status.phase", "Available"),
            number("last_validation_timestamp_seconds", "Last check in Unix seconds", "status.lastValidationTime"),
        ),
    ),
)
