"""Division of objects among agents. Every agent computes the shard of an object from its UID alone."""

from __future__ import annotations

import re
from collections.abc import Callable

from telegen.metrics.family import Object
from telegen.metrics.hashing import fnv1a64

_MASK = (1 << 64) - 1


def jump_hash(key: int, buckets: int) -> int:
    """Return the bucket, from 0, of a 64-bit key by jump consistent hash (Lamping and Veach, 2014).

    With one bucket more, a key stays or moves to the new bucket, so few objects change their agent.
    """
    bucket, jump = -1, 0
    while jump < buckets:
        bucket = jump
        key = (key * 2862933555777941757 + 1) & _MASK
        # The 31 bits and the division of two floats are part of the algorithm: all implementations must agree.
        jump = int((bucket + 1) * (float(1 << 31) / float((key >> 33) + 1)))
    return bucket


def shard_of(uid: str, total: int) -> int:
    """Return the shard of an object, from 0."""
    return jump_hash(fnv1a64(uid), total)


def shard_filter(shard: tuple[int, int]) -> Callable[[int], bool] | None:
    """Make the filter of a shard, from the hash of a UID to True if the shard has the object; None for the only shard.

    A shard whose number is not below the total has no objects.

    Args:
        shard: (number, total).
    """
    number, total = shard
    return None if shard == (0, 1) else lambda key: jump_hash(key, total) == number


class NoShard(ValueError):
    """The shard cannot be derived from a pod; the message has the reason."""


def owner_of(pod: Object) -> str:
    """Return the name of the StatefulSet that controls a pod.

    Raises:
        NoShard: no StatefulSet controls it.
    """
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            kind, version = owner.get("kind"), str(owner.get("apiVersion"))
            if kind == "StatefulSet" and version.startswith("apps/"):
                return str(owner.get("name"))
            raise NoShard(f"it belongs to a {kind}, not to a StatefulSet")
    raise NoShard("it belongs to no StatefulSet")


def shard_in(pod: str, statefulset: Object) -> tuple[int, int]:
    """Return the shard of a pod of a StatefulSet, (number, total), from its ordinal and the replicas.

    A pod that the StatefulSet is about to remove, because its ordinal is too high or too low, gets a number that is not
    below the total: a shard without objects.

    Args:
        pod: name of the pod.

    Raises:
        NoShard: the name of the pod does not belong to this StatefulSet.
    """
    name, spec = statefulset["metadata"].get("name"), statefulset.get("spec") or {}
    found = re.fullmatch(re.escape(f"{name}-") + "([0-9]{1,9})", pod)
    if not found:
        raise NoShard(f"its name is not {name}- and a number")
    replicas = spec.get("replicas")
    # The API server sets 1 if the field is absent.
    total = 1 if replicas is None else int(replicas)
    number = int(found[1]) - int((spec.get("ordinals") or {}).get("start") or 0)
    return (number if number >= 0 else total, total)
