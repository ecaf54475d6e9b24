"""Hash that assigns objects to shards. Its value is the same in every process and agent."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def fnv1a64(text: str) -> int:
    """Return FNV-1a, 64 bits, of the UTF-8 bytes (http://www.isthe.com/chongo/tech/comp/fnv/)."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & _MASK
    return value
