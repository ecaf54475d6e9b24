"""Readers of an arena: copy first, then make sure that what was copied was still there."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from telegen.shm.deflate import crc32
from telegen.shm.layout import (
    FLOOR,
    SLOT,
    SLOT_CHECK,
    SLOTS,
    Arena,
    Column,
    FamilyEntry,
    StoreEntry,
    directory_decoder,
    schema_decoder,
    span,
    unpack_index,
)

TRIES = 8
"""How often a torn snapshot is read again before the reader gives up. A writer publishes every 100 ms; a read takes
under 1 ms."""


class TornSnapshot(Exception):
    """An arena changed under the reader every time it tried."""


@dataclass(frozen=True)
class StoreSnapshot:
    """One store as published: its entry, its families and, aligned with them, its columns."""

    entry: StoreEntry
    families: list[FamilyEntry]
    columns: list[Column]


@dataclass(frozen=True)
class Snapshot:
    """One publication of an arena."""

    sequence: int
    directory: int
    stores: dict[str, StoreSnapshot]


class ArenaReader:
    """Reads snapshots of one arena. Use one per thread or accept that the schema cache is shared."""

    def __init__(self, arena: Arena) -> None:
        self.name = arena.name
        self._memory = arena.memory
        self._view = memoryview(arena.memory)
        self._schemas: dict[int, list[FamilyEntry]] = {}
        self._last: Snapshot | None = None

    def load(self) -> Snapshot | None:
        """The newest snapshot, or None before the first publication. PERF: one that is known already is not read again; a probe
        of 40 stores cost 0.4 ms more.

        Raises:
            TornSnapshot: no read of it held together.
        """
        for _ in range(TRIES):
            slots = self._slots()
            if not slots:
                return None
            sequence, place, crc = slots[0]
            last = self._last
            if last and (last.sequence, last.directory) == (sequence, place):
                return last
            stores = self._stores(place, crc)
            if stores is not None and self.intact(sequence):
                self._last = Snapshot(sequence, place, stores)
                return self._last
        raise TornSnapshot(self.name)

    def cells(self, column: Column) -> list[memoryview]:
        """A column's pieces where they are; what is copied of them is true only if `intact` says so afterwards. PERF:
        0.2 us a piece."""
        view = self._view
        return [view[(cell >> 32 << 6) : (cell >> 32 << 6) + (cell & 0xFFFFFFFF)] for cell in column.cells]

    def intact(self, sequence: int) -> bool:
        """Whether nothing of this snapshot had been reclaimed when this call began."""
        return int.from_bytes(self._memory[FLOOR], "little") <= sequence

    def _slots(self) -> list[tuple[int, int, int]]:
        """(sequence, directory extent, its crc32) of the slots whose checksum holds, newest first."""
        found = []
        for start in SLOTS:
            slot = self._memory[start : start + SLOT.size]
            (check,) = SLOT_CHECK.unpack(self._memory[start + SLOT.size : start + SLOT.size + SLOT_CHECK.size])
            sequence, place, crc, _ = SLOT.unpack(slot)
            if sequence and crc32(slot) == check:
                found.append((sequence, place, crc))
        return sorted(found, reverse=True)

    def _stores(self, place: int, crc: int) -> dict[str, StoreSnapshot] | None:
        """The stores of a directory, or None when any checksum fails."""
        directory = self._memory[span(place)]
        if crc32(directory) != crc:
            return None
        stores = {}
        for name, entry in directory_decoder.decode(directory).items():
            families = self._families(entry)
            index = self._memory[span(entry.index)]
            if families is None or crc32(index) != entry.index_crc:
                return None
            stores[name] = StoreSnapshot(entry, families, unpack_index(index, len(families)))
        return stores

    def _families(self, entry: StoreEntry) -> list[FamilyEntry] | None:
        """The headers of a store; decoded once per schema."""
        known = self._schemas.get(entry.schema_crc)
        if known is not None:
            return known
        schema = self._memory[span(entry.schema)]
        if crc32(schema) != entry.schema_crc:
            return None
        try:
            families = schema_decoder.decode(schema)
        except msgspec.DecodeError as error:
            raise TornSnapshot(f"{self.name}: schema: {error}") from error
        self._schemas[entry.schema_crc] = families
        return families
