"""Which of several agents takes an object: the same one for all, by its UID alone."""

from __future__ import annotations

from collections.abc import Callable

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
