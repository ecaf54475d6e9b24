"""Which of several agents takes an object: the same one for all, by its UID alone."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def fnv1a64(text: str) -> int:
    """FNV-1a, 64 bits, of the UTF-8 bytes (http://www.isthe.com/chongo/tech/comp/fnv/)."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & _MASK
    return value


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
