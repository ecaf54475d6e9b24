"""Groups of the objects in blocks: a scrape of one namespace reads only the blocks that have objects of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from telegen.shm.layout import pack_groups


class BlockGroups:
    """Group of the object in each slot, and free slots by group: a new object goes where its group is, if there is room.

    The group is "" for objects without one. Not thread-safe: the store holds a lock.
    """

    def __init__(self, block_objects: int) -> None:
        self._size = block_objects
        self._groups: dict[int, str] = {}
        self._blocks: dict[str, Counter[int]] = defaultdict(Counter)
        self._free: dict[str, list[int]] = {}
        self._packed: bytes | None = None

    def add(self, slot: int, group: str) -> None:
        """Note the group of a new object."""
        if group:
            self._groups[slot] = group
        counts = self._blocks[group]
        block = slot // self._size
        if block not in counts:
            self._packed = None
        counts[block] += 1

    def remove(self, slot: int) -> None:
        """Note that the object of a slot has gone, and that the slot is free."""
        group = self._groups.pop(slot, "")
        counts, block = self._blocks[group], slot // self._size
        counts[block] -= 1
        if not counts[block]:
            del counts[block]
            self._packed = None
            if not counts:
                # Names of namespaces that come and go, as in CI clusters, would stay for ever.
                del self._blocks[group]
        self.free([slot], group)

    def free(self, slots: Sequence[int], group: str) -> None:
        """Note free slots beside objects of a group. Of one call the last slot is taken first."""
        if slots:
            self._free.setdefault(group, []).extend(slots)

    def take(self, group: str) -> int | None:
        """Return a free slot, if possible beside objects of the group; None if no slot is free."""
        near = group if group in self._free else next(iter(self._free), None)
        if near is None:
            return None
        slots = self._free[near]
        slot = slots.pop()
        if not slots:
            del self._free[near]
        return slot

    def packed(self) -> bytes:
        """Return the encoded blocks of each group; b"" if no object has a group."""
        if self._packed is None:
            self._packed = pack_groups({group: list(counts) for group, counts in self._blocks.items()}) if self._groups else b""
        return self._packed
