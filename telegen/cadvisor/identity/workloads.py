"""Whose work a pod does: the Deployment behind its ReplicaSet, the CronJob behind its Job, or its owner itself."""

from __future__ import annotations

from datetime import datetime

from telegen.cadvisor.identity.json_access import Values, mapping, objects, text

HASH_LABEL = "pod-template-hash"
_MINUTE, _LATE = 60, 7 * 24 * 3600


def workload(pod: Values) -> tuple[str, str]:
    """(name, kind) of what a pod belongs to; a pod that nothing controls is its own workload.

    Only what the pod itself says is used. A ReplicaSet called `NAME-HASH`, whose hash is the pod's label
    pod-template-hash, was made by a Deployment called NAME: no other controller sets that label. A Job called
    `NAME-MINUTES`, whose minutes since 1970 lie in the week before the pod was made, was made by a CronJob called NAME.
    """
    metadata = mapping(pod, "metadata")
    owner = next((one for one in objects(metadata, "ownerReferences") if one.get("controller") is True), None)
    if owner is None:
        return text(metadata, "name"), "Pod"
    name, kind = text(owner, "name"), text(owner, "kind")
    base, _, suffix = name.rpartition("-")
    if kind == "ReplicaSet" and base and text(mapping(metadata, "labels"), HASH_LABEL) == suffix:
        return base, "Deployment"
    if kind == "Job" and base and _is_scheduled(suffix, text(metadata, "creationTimestamp")):
        return base, "CronJob"
    return name, kind


def _is_scheduled(suffix: str, created: str) -> bool:
    """Whether the end of a Job's name is the time at which a CronJob made it."""
    if not (suffix.isascii() and suffix.isdigit() and len(suffix) < 12):
        return False
    try:
        since = datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp() - int(suffix) * _MINUTE
    except ValueError:
        return False
    return -_MINUTE <= since <= _LATE
