"""The one writer of an arena: writes extents, publishes snapshots whole, reclaims after a grace time."""

from __future__ import annotations

import mmap
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from telegen.shm.allocator import Allocator
from telegen.shm.deflate import crc32
from telegen.shm.layout import (
    FIRST,
    FLOOR,
    LENGTH,
    SLOT,
    SLOT_CHECK,
    SLOTS,
    UNIT,
    UNIT_BITS,
    Arena,
    Buffer,
    StoreEntry,
    directory_encoder,
    extent,
    span,
    units,
)
from telegen.shm.reader import ArenaReader

GRACE = 1.0
"""Seconds between the publication that drops an extent and its reuse. A scrape copies for some 10 ms; one that is held
up longer sees the floor pass and copies again. Longer costs memory: 3,000 updates/s drop 20 MB/s."""

PUNCH = 256 * 1024
"""Free blocks from this size in bytes on go back to the system."""


class ArenaWriter:
    """Writes and publishes; safe for the threads of one process.

    A writer begins with the snapshot that its predecessor in the arena left: its stores go on being served until a new
    store of that name is published. Names outside `stores` are dropped with the first publication.
    """

    def __init__(
        self, arena: Arena, stores: Iterable[str], grace: float = GRACE, clock: Callable[[], float] = time.monotonic
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
        self._adopt(ArenaReader(arena), set(stores))

    def write(self, data: Buffer) -> int:
        """Copy `data` into a new extent and give it.

        Raises:
            ArenaFull: the arena has reached its limit.
        """
        with self._lock:
            place = extent(self._allocator.take(units(len(data))), len(data))
            self._memory[span(place)] = data
        return place

    def inherits(self, store: str) -> bool:
        """Whether what a predecessor has published of a store is still served."""
        return store in self._inherited

    def read(self, place: int) -> bytes:
        """The bytes of an extent that this writer has not freed."""
        return self._memory[span(place)]

    def free(self, places: Iterable[int]) -> None:
        """Give up extents that a published snapshot may hold: they are reused a grace time after the next
        publication."""
        with self._lock:
            self._dropped.extend(place for place in places if place)

    def discard(self, places: Iterable[int]) -> None:
        """Give up extents that were never published: they are reused at once."""
        with self._lock:
            self._give([place for place in places if place])

    def publish(self, name: str, index: bytes, schema: bytes, objects: int, order: int) -> None:
        """Replace the store `name` in the snapshot and flip to it.

        Args:
            index: see `layout.pack_index`; all its extents have been written.
            schema: the encoded list of `FamilyEntry`, one per column.
            objects: how many objects the store holds.
            order: place of the store's families on the page.
        """
        with self._lock:
            self._reclaim()
            before = self._entries.get(name)
            schema_crc = crc32(schema)
            if before and before.schema_crc == schema_crc and name not in self._inherited:
                schema_at = before.schema
            else:
                schema_at = self.write(schema)
                self._dropped.extend([before.schema] if before else [])
            self._dropped.extend([before.index] if before else [])
            self._dropped.extend(self._inherited.pop(name, ()))
            entry = StoreEntry(self.write(index), crc32(index), schema_at, schema_crc, objects, order, time.time())
            self._entries[name] = entry
            self._flip()

    def trim(self) -> None:
        """Reclaim what is due and give back every free memory page, however small the block that it is in."""
        with self._lock:
            self._reclaim()
            for start, size in self._allocator.free_blocks():
                self._punch(start, size)

    def _flip(self) -> None:
        """Write the directory, then the slot that is not current."""
        directory = directory_encoder.encode(self._entries)
        place = self.write(directory)
        self._dropped.append(self._directory)
        self._sequence += 1
        slot = SLOT.pack(self._sequence, place, crc32(directory), 0)
        start = SLOTS[self._sequence & 1]
        # One assignment each: struct.pack_into would show zeros for a moment.
        self._memory[start : start + SLOT.size + SLOT_CHECK.size] = slot + SLOT_CHECK.pack(crc32(slot))
        self._directory = place
        self._retired.append((self._clock() + self._grace, self._sequence, [place for place in self._dropped if place]))
        self._dropped = []

    def _reclaim(self) -> None:
        """Reuse what was dropped a grace time ago, after saying so in the floor."""
        now = self._clock()
        while self._retired and self._retired[0][0] <= now:
            _, sequence, places = self._retired.popleft()
            self._memory[FLOOR] = sequence.to_bytes(8, "little")
            self._give(places)

    def _give(self, places: list[int]) -> None:
        for place in places:
            start, size = self._allocator.give(place >> 32, units(place & LENGTH))
            if size << UNIT_BITS >= PUNCH:
                self._punch(start, size)

    def _punch(self, start: int, size: int) -> None:
        """Return the whole memory pages inside a free block to the system."""
        page = mmap.PAGESIZE
        first = (start * UNIT + page - 1) // page * page
        last = (start + size) * UNIT // page * page
        if last > first:
            self._memory.madvise(mmap.MADV_REMOVE, first, last - first)

    def _adopt(self, reader: ArenaReader, stores: set[str]) -> None:
        """Keep what the predecessor published and free the rest of the arena."""
        snapshot = reader.load()
        taken: list[int] = []
        self._sequence = int.from_bytes(self._memory[FLOOR], "little")
        if snapshot:
            self._sequence, self._directory = snapshot.sequence, snapshot.directory
            taken.append(snapshot.directory)
            for name, store in snapshot.stores.items():
                cells = [place for column in store.columns for place in column.cells]
                taken += [store.entry.index, store.entry.schema, *cells]
                if name in stores:
                    self._entries[name], self._inherited[name] = store.entry, cells
                else:
                    self._dropped += [store.entry.index, store.entry.schema, *cells]
            self._memory[FLOOR] = self._sequence.to_bytes(8, "little")
        self._allocator.reserve([(place >> 32, units(place & LENGTH)) for place in taken if place])
        for start, size in self._allocator.free_blocks():
            self._punch(start, size)
        high = self._allocator.high
        self._punch(high, (len(self._memory) >> UNIT_BITS) - high)
