"""Which of several agents takes an object: the same one for all, by its UID alone."""

from __future__ import annotations

import re
from collections.abc import Callable

from telegen.metrics.family import Object
from telegen.metrics.hashing import fnv1a64

_MASK = (1 << 64) - 1


def jump_hash(key: int, buckets: int) -> int:
    """Jump consistent hash (Lamping and Veach, 2014): the bucket, from 0, of a 64-bit key."""
    bucket, jump = -1, 0
    while jump < buckets:
        bucket = jump
        key = (key * 2862933555777941757 + 1) & _MASK
        jump = int((bucket + 1) * (float(1 << 31) / float((key >> 33) + 1)))
    return bucket


def shard_of(uid: str, total: int) -> int:
    """The shard of an object, from 0."""
    return jump_hash(fnv1a64(uid), total)


def keeper(shard: tuple[int, int]) -> Callable[[int], bool] | None:
    """Which hashes of UIDs a shard takes; None when it takes all of them. A number that is not below the total takes
    none.

    Args:
        shard: (number, of how many).
    """
    number, total = shard
    return None if shard == (0, 1) else lambda key: jump_hash(key, total) == number


class NoShard(ValueError):
    """A pod is not what its shard could be read from; says why."""


def owner_of(pod: Object) -> str:
    """The name of the StatefulSet that controls a pod.

    Raises:
        NoShard: none does.
    """
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            kind, version = owner.get("kind"), str(owner.get("apiVersion"))
            if kind == "StatefulSet" and version.startswith("apps/"):
                return str(owner.get("name"))
            raise NoShard(f"it belongs to a {kind}, not to a StatefulSet")
    raise NoShard("it belongs to no StatefulSet")


def shard_in(pod: str, statefulset: Object) -> tuple[int, int]:
    """The shard of a pod of a StatefulSet: (number, of how many), by its ordinal and the replicas.

    The number is not below the total, so that nothing is taken, when the pod is about to be removed: its ordinal is beyond
    the replicas, or before the first.

    Args:
        pod: name of the pod.

    Raises:
        NoShard: the pod's name is none of this StatefulSet's.
    """
    name, spec = statefulset["metadata"].get("name"), statefulset.get("spec") or {}
    found = re.fullmatch(re.escape(f"{name}-") + "([0-9]{1,9})", pod)
    if not found:
        raise NoShard(f"its name is not {name}- and a number")
    replicas = spec.get("replicas")
    total = 1 if replicas is None else int(replicas)
    number = int(found[1]) - int((spec.get("ordinals") or {}).get("start") or 0)
    return (number if number >= 0 else total, total)
