"""KEDA: scaled objects and jobs."""

from __future__ import annotations

from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.specs import by_key, conditions, info, kind, number

GROUP = "keda.sh/v1alpha1"
LIMITS = (
    number("min_replicas", "Least replicas", "spec.minReplicaCount"),
    number("max_replicas", "Most replicas", "spec.maxReplicaCount"),
    number("last_active_timestamp_seconds", "Last time that a trigger was active, in Unix seconds", "status.lastActiveTime"),
    by_key("trigger_failures", "Failures of each trigger in a row", "status.health", "trigger", "numberOfFailures"),
    conditions(),
)

PACK = Pack(
    "keda",
    "Scaled objects and jobs of KEDA.",
    (
        # KEDA itself serves keda_scaled_object_* and keda_scaler_*.
        kind(
            "keda_cr_scaledobject", GROUP, "scaledobjects", "ScaledObject",
            info("info", "Target", target_kind="spec.scaleTargetRef.kind", target_name="spec.scaleTargetRef.name", hpa="status.hpaName"),
            *LIMITS,
        ),
        kind("keda_cr_scaledjob", GROUP, "scaledjobs", "ScaledJob", *LIMITS),
    ),
)
