"""Workload of a pod: the Deployment of its ReplicaSet, the CronJob of its Job, else its controlling owner."""

from __future__ import annotations

from datetime import datetime

from telegen.process.json_access import Values, mapping, objects, text

HASH_LABEL = "pod-template-hash"
_MINUTE, _LATEST_START = 60, 7 * 24 * 3600


def workload(pod: Values) -> tuple[str, str]:
    """Return (name, kind) of a pod's workload; the pod itself if it has no controlling owner.

    Only the pod's own metadata is used. A ReplicaSet `NAME-HASH` whose hash is the pod's label pod-template-hash belongs to
    the Deployment NAME, since only the Deployment controller sets that label. A Job `NAME-MINUTES` whose minutes since 1970
    are in the week before the pod's creation belongs to the CronJob NAME.
    """
    metadata = mapping(pod, "metadata")
    owner = next((one for one in objects(metadata, "ownerReferences") if one.get("controller") is True), None)
    if owner is None:
        return text(metadata, "name"), "Pod"
    name, kind = text(owner, "name"), text(owner, "kind")
    base, _, suffix = name.rpartition("-")
    if kind == "ReplicaSet" and base and text(mapping(metadata, "labels"), HASH_LABEL) == suffix:
        return base, "Deployment"
    if kind == "Job" and base and _is_scheduled_time(suffix, text(metadata, "creationTimestamp")):
        return base, "CronJob"
    return name, kind


def _is_scheduled_time(suffix: str, created: str) -> bool:
    """True if a Job's suffix is the minute for which a CronJob scheduled it."""
    if not (suffix.isascii() and suffix.isdigit() and len(suffix) < 12):
        return False
    try:
        delay = datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp() - int(suffix) * _MINUTE
    except ValueError:
        return False
    # A job can start up to startingDeadlineSeconds late; one minute of clock skew is allowed.
    return -_MINUTE <= delay <= _LATEST_START
