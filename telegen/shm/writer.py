"""Writer of an arena: writes extents, publishes snapshots atomically, reclaims extents after a grace time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from telegen.shm.allocator import Allocator
from telegen.shm.deflate import crc32
from telegen.shm.layout import (
    FIRST,
    FLOOR,
    LENGTH,
    PUNCH,
    SLOT,
    SLOT_CHECK,
    SLOTS,
    UNIT_BITS,
    Arena,
    Buffer,
    StoreEntry,
    Withheld,
    directory_encoder,
    pack_extent,
    punch,
    span,
    units,
)
from telegen.shm.reader import ArenaReader

GRACE = 1.0
"""Seconds between the publication that drops an extent and its reuse. A scrape copies for some 10 ms; a slower one finds
its sequence below the floor and copies again. A longer time costs memory: 3,000 updates/s drop 20 MB/s."""


class ArenaWriter:
    """Writes and publishes the stores of one arena; safe for the threads of one process.

    A writer begins with the snapshot of its predecessor, a worker that ended. Each store of it stays served until the new
    writer publishes a store of that name. Stores whose names `stores` does not have are dropped at the first publication.

    Attributes:
        inherited_series: number of series of each store of the predecessor, by family.
    """

    def __init__(
        self, arena: Arena, stores: Iterable[str] | Callable[[str], bool], grace: float = GRACE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._memory = arena.memory
        self._allocator = Allocator(FIRST, len(arena.memory) >> UNIT_BITS)
        self._lock = threading.RLock()
        self._grace, self._clock = grace, clock
        self._dropped: list[int] = []
        self._retired: deque[tuple[float, int, list[int]]] = deque()
        self._directory = 0
        self._sequence = 0
        self._entries: dict[str, StoreEntry] = {}
        self._inherited: dict[str, list[int]] = {}
        self.inherited_series: dict[str, dict[str, int]] = {}
        self._load_predecessor(ArenaReader(arena), stores if callable(stores) else set(stores).__contains__)

    def write(self, data: Buffer) -> int:
        """Copy `data` into a new extent and return the extent.

        Raises:
            ArenaFull: the arena has reached its limit.
        """
        with self._lock:
            extent = pack_extent(self._allocator.take(units(len(data))), len(data))
            self._memory[span(extent)] = data
        return extent

    def inherits(self, store: str) -> bool:
        """Return True while a store of the predecessor is still served."""
        return store in self._inherited

    def read(self, extent: int) -> bytes:
        """Return the bytes of an extent that this writer has not freed."""
        return self._memory[span(extent)]

    def free(self, extents: Iterable[int]) -> None:
        """Free extents that a published snapshot may contain: they are reused a grace time after the next publication."""
        with self._lock:
            self._dropped.extend(extent for extent in extents if extent)

    def discard(self, extents: Iterable[int]) -> None:
        """Free extents that were never published: they are reused at once."""
        with self._lock:
            self._give([extent for extent in extents if extent])

    def publish(
        self,
        name: str,
        index: bytes,
        schema: bytes,
        objects: int,
        order: int,
        replaced: Iterable[int] = (),
        withheld: Mapping[str, Withheld] = {},
        is_complete: bool = True,
    ) -> None:
        """Publish a snapshot in which the store `name` is replaced.

        Args:
            index: see `layout.pack_index`; all its extents are written already.
            schema: the encoded list of `FamilyEntry`, one per column.
            objects: number of objects in the store.
            order: position of the store's families on the page.
            replaced: extents that the index before refers to and this one does not. Freed a step earlier, they could be dropped with
                a snapshot of another store's thread, which still refers to them.
            withheld: what is not published, by family.
            is_complete: this is a new complete state, which is shown; a change leaves an old store hidden.
        """
        with self._lock:
            self._reclaim()
            before = self._entries.get(name)
            schema_crc = crc32(schema)
            # The schema changes only with the configuration, so its extent is kept over publications.
            if before and before.schema_crc == schema_crc and name not in self._inherited:
                schema_at = before.schema
            else:
                schema_at = self.write(schema)
                self._dropped.extend([before.schema] if before else [])
            self._dropped.extend([before.index] if before else [])
            self._dropped.extend(filter(None, replaced))
            self._dropped.extend(self._inherited.pop(name, ()))
            is_old = bool(before and before.is_old) and not is_complete
            entry = StoreEntry(self.write(index), crc32(index), schema_at, schema_crc, objects, order, time.time(), withheld, is_old)
            self._entries[name] = entry
            self._flip()

    def withdraw(self, name: str) -> None:
        """Publish a snapshot without the store `name`; the caller frees its cells, unless they are of the predecessor."""
        with self._lock:
            self._reclaim()
            before = self._entries.pop(name, None)
            if before:
                self._dropped += [before.index, before.schema, *self._inherited.pop(name, ())]
                self._flip()

    def mark_old(self, name: str, is_old: bool) -> None:
        """Publish a snapshot in which a store is not shown, or is shown again; nothing if it is so, or is not published."""
        with self._lock:
            entry = self._entries.get(name)
            if entry and entry.is_old != is_old:
                self._reclaim()
                self._entries[name] = replace(entry, is_old=is_old)
                self._flip()

    @property
    def names(self) -> list[str]:
        """Names of the published stores, those of the predecessor included."""
        with self._lock:
            return list(self._entries)

    def trim(self) -> None:
        """Reclaim dropped extents that are due, and return every free memory page to the system."""
        with self._lock:
            self._reclaim()
            for start, size in self._allocator.free_blocks():
                punch(self._memory, start, size)

    def _flip(self) -> None:
        """Write the directory, then the slot that is not current: readers see the old or the new snapshot, never a mix."""
        directory = directory_encoder.encode(self._entries)
        extent = self.write(directory)
        # Readers may still use the old directory; like dropped cells it is reused after the grace time.
        self._dropped.append(self._directory)
        self._sequence += 1
        slot = SLOT.pack(self._sequence, extent, crc32(directory), 0)
        start = SLOTS[self._sequence & 1]
        # One assignment copies all bytes at once; struct.pack_into first fills with zeros, which a reader could see.
        self._memory[start : start + SLOT.size + SLOT_CHECK.size] = slot + SLOT_CHECK.pack(crc32(slot))
        self._directory = extent
        self._retired.append((self._clock() + self._grace, self._sequence, [extent for extent in self._dropped if extent]))
        self._dropped = []

    def _reclaim(self) -> None:
        """Reuse extents that were dropped a grace time ago."""
        now = self._clock()
        while self._retired and self._retired[0][0] <= now:
            _, sequence, extents = self._retired.popleft()
            # The floor rises before the memory is reused, so that a reader never accepts a copy of reused memory.
            self._memory[FLOOR] = sequence.to_bytes(8, "little")
            self._give(extents)

    def _give(self, extents: list[int]) -> None:
        for extent in extents:
            start, size = self._allocator.give(extent >> 32, units(extent & LENGTH))
            if size << UNIT_BITS >= PUNCH:
                punch(self._memory, start, size)

    def _load_predecessor(self, reader: ArenaReader, keeps: Callable[[str], bool]) -> None:
        """Keep the snapshot of the predecessor and free the rest of the arena, where it may have left unpublished extents."""
        snapshot = reader.load()
        taken: list[int] = []
        self._sequence = int.from_bytes(self._memory[FLOOR], "little")
        if snapshot:
            self._sequence, self._directory = snapshot.sequence, snapshot.directory
            taken.append(snapshot.directory)
            for name, store in snapshot.stores.items():
                cells = [cell for column in store.columns for cell in column.cells]
                taken += [store.entry.index, store.entry.schema, *cells]
                if keeps(name):
                    self._entries[name], self._inherited[name] = store.entry, cells
                    self.inherited_series[name] = store.series()
                else:
                    self._dropped += [store.entry.index, store.entry.schema, *cells]
            self._memory[FLOOR] = self._sequence.to_bytes(8, "little")
        self._allocator.reserve([(extent >> 32, units(extent & LENGTH)) for extent in taken if extent])
        for start, size in self._allocator.free_blocks():
            punch(self._memory, start, size)
        high = self._allocator.high
        punch(self._memory, high, (len(self._memory) >> UNIT_BITS) - high)
