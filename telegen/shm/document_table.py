"""A table of documents in shared memory: rows that one process writes and any number read, without locks.

    offset  size
    0       8 * rows    version of each row's description, 0 for a free row
    ...     64 * rows   rows: version, extents of the documents, two numbers, crc32 of each document, crc32 of the row
    ...     ...         extents, in units of 64 bytes (see `telegen.shm.layout`)

A document is replaced by a new extent and one assignment of the row. A reader copies the row, then the documents, and accepts
them if their checksums match: an extent is reused a grace time after its row was replaced, and Python has no memory fences.
The versions stand by themselves so that a reader finds the rows to index anew by comparing one column.
"""

from __future__ import annotations

import heapq
import struct
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from telegen.shm.allocator import Allocator, ArenaFull
from telegen.shm.deflate import crc32
from telegen.shm.layout import LENGTH, PUNCH, UNIT, UNIT_BITS, pack_extent, punch, span, units
from telegen.shm.region import Region

GRACE = 1.0
"""Seconds between the replacement of a document and the reuse of its memory. A reader copies it in some microseconds."""
DESCRIPTION, CURRENT, EXTRA = range(3)
"""Documents of a row. The first changes seldom; each change gives the row a new version."""
TRIES = 100
"""Reads of a row that is replaced meanwhile, a millisecond apart from the second one on."""
_ROW = struct.Struct("<QQQQddIII")
_CHECK = struct.Struct("<I")
_CHECKED_ROW = struct.Struct("<QQQQddIIII")
_ROW_BYTES = 64


class Row(NamedTuple):
    """A row.

    Attributes:
        version: of the description; no two descriptions of a table have the same.
        extents, checksums: of the documents; 0 for an absent one.
        numbers: two numbers for the user of the table.
    """

    version: int = 0
    extents: tuple[int, ...] = (0, 0, 0)
    numbers: tuple[float, float] = (0.0, 0.0)
    checksums: tuple[int, ...] = (0, 0, 0)


class DocumentTable(Region):
    """The memory of a table.

    Attributes:
        rows: number of rows.
    """

    def __init__(self, name: str, rows: int, limit: int) -> None:
        """Reserve memory; the kernel allocates pages when they are written.

        Args:
            limit: bytes of all documents.

        Raises:
            OSError: the system has no memory or no file descriptors left.
        """
        self.rows = rows
        self._first = 8 * rows
        self._data = units(self._first + _ROW_BYTES * rows)
        super().__init__(name, self._data * UNIT + limit)

    @property
    def data_units(self) -> range:
        """Units that hold documents."""
        return range(self._data, len(self._memory) // UNIT)

    def versions(self) -> array[int]:
        """Versions of all rows."""
        return array("Q", self._memory[: self._first])

    def row(self, number: int) -> Row | None:
        """Return a row, one of version 0 if it is free; None while it is being written. PERF: 0.8 us."""
        start = self._first + _ROW_BYTES * number
        data = self._memory[start : start + _ROW_BYTES]
        version, first, second, third, number_1, number_2, crc_1, crc_2, crc_3, check = _CHECKED_ROW.unpack(data)
        if version and crc32(data[: _ROW.size]) != check:
            return None
        return Row(version, (first, second, third), (number_1, number_2), (crc_1, crc_2, crc_3))

    def read(self, number: int, *documents: int) -> tuple[Row, list[bytes]] | None:
        """Return a row and some of its documents as they were at one moment, b"" for an absent one; None for a free row.

        PERF: 3 us for a document of 6 kB; a list of pods reads thousands.

        Raises:
            TimeoutError: they changed during every try.
        """
        for attempt in range(TRIES):
            row = self.row(number)
            if row is not None:
                if not row.version:
                    return None
                found = []
                for one in documents:
                    extent = row.extents[one]
                    start = extent >> 32 << UNIT_BITS
                    data = self._memory[start : start + (extent & LENGTH)]
                    if crc32(data) != row.checksums[one]:
                        break
                    found.append(data)
                else:
                    return row, found
            time.sleep(0.001 if attempt else 0)
        raise TimeoutError("a row of shared memory changes faster than it can be read")

    def write_row(self, number: int, row: Row) -> None:
        """Replace a row; only for the writer."""
        data = _ROW.pack(row.version, *row.extents, *row.numbers, *row.checksums)
        start = self._first + _ROW_BYTES * number
        # One assignment: struct.pack_into fills with zeros first, which a reader could see.
        self._memory[start : start + _ROW_BYTES] = data + _CHECK.pack(crc32(data))
        self._memory[8 * number : 8 * number + 8] = row.version.to_bytes(8, "little")

    def write_data(self, unit: int, data: bytes) -> int:
        """Copy a document to a unit and return its extent; only for the writer."""
        extent = pack_extent(unit, len(data))
        self._memory[span(extent)] = data
        return extent

    def punch(self, start: int, size: int) -> None:
        """Return the memory of free units to the system; only for the writer."""
        punch(self._memory, start, size)

    def written_rows(self) -> list[int]:
        """Numbers of the rows that were ever written."""
        rows = self._memory[self._first : self._first + _ROW_BYTES * self.rows]
        return [number for number in range(self.rows) if any(rows[_ROW_BYTES * number : _ROW_BYTES * (number + 1)])]


class TableWriter:
    """The writer of a table. It begins with the rows of its predecessor, a process that ended."""

    def __init__(self, table: DocumentTable, grace: float = GRACE, clock: Callable[[], float] = time.monotonic) -> None:
        self._table, self._grace, self._clock = table, grace, clock
        self._replaced: deque[tuple[float, int]] = deque()
        data = table.data_units
        self._allocator = Allocator(data.start, data.stop)
        rows = self._load()
        # Readers may know versions of rows that are free now; the clock has passed all of them.
        self._version = max([time.monotonic_ns(), *(row.version for row in rows.values())])
        self._used = set(rows)
        self._free = [number for number in range(table.rows) if number not in rows]

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers of the rows in use."""
        return iter(list(self._used))

    def take_row(self) -> int | None:
        """Return the lowest free row, for the caller's use from now on; None if all are in use."""
        return heapq.heappop(self._free) if self._free else None

    def write(self, number: int, documents: Mapping[int, bytes], numbers: tuple[float, float] | None = None) -> None:
        """Replace some documents of a row, and its numbers if they are given. The first write includes the description.

        Raises:
            ArenaFull: the table has no memory for them; the row stays as it was.
        """
        self._reclaim()
        before = self._row(number)
        extents, checksums = list(before.extents), list(before.checksums)
        for (one, data), unit in zip(documents.items(), self._take(documents)):
            extents[one] = self._table.write_data(unit, data) if data else 0
            checksums[one] = crc32(data)
        version = before.version
        if DESCRIPTION in documents:
            self._version = version = self._version + 1
        row = Row(version, tuple(extents), numbers or before.numbers, tuple(checksums))
        self._table.write_row(number, row)
        self._used.add(number)
        self._drop(before, row)

    def checksum(self, number: int, document: int) -> int:
        """Return the crc32 of a document, 0 for an absent one."""
        return self._row(number).checksums[document]

    def clear(self, number: int) -> None:
        """Free a row, whether it was written or only taken."""
        before = self._row(number)
        self._table.write_row(number, Row())
        self._used.discard(number)
        self._drop(before, Row())
        heapq.heappush(self._free, number)

    def _row(self, number: int) -> Row:
        """Return a row. PERF: a copy of each in this process would take 0.6 kB."""
        return (self._table.row(number) if number in self._used else None) or Row()

    def _take(self, documents: Mapping[int, bytes]) -> list[int]:
        """Allocate the units of all documents or of none; 0 for an empty one."""
        taken = list[int]()
        try:
            for data in documents.values():
                taken.append(self._allocator.take(units(len(data))) if data else 0)
        except ArenaFull:
            for unit, data in zip(taken, documents.values()):
                if unit:
                    self._allocator.give(unit, units(len(data)))
            raise
        return taken

    def _drop(self, before: Row, after: Row) -> None:
        """Note the documents that a replaced row alone has."""
        due = self._clock() + self._grace
        self._replaced.extend((due, extent) for extent in before.extents if extent and extent not in after.extents)

    def _reclaim(self) -> None:
        """Reuse the memory of documents that were replaced a grace time ago."""
        now = self._clock()
        while self._replaced and self._replaced[0][0] <= now:
            extent = self._replaced.popleft()[1]
            start, size = self._allocator.give(extent >> 32, units(extent & LENGTH))
            if size << UNIT_BITS >= PUNCH:
                self._table.punch(start, size)

    def _load(self) -> dict[int, Row]:
        """Take over all whole rows. One that the predecessor was writing when it ended becomes free."""
        rows = dict[int, Row]()
        for number in self._table.written_rows():
            row = self._table.row(number)
            if row is None:
                self._table.write_row(number, Row())
            elif row.version:
                rows[number] = row
        extents = [extent for row in rows.values() for extent in row.extents if extent]
        self._allocator.reserve([(extent >> 32, units(extent & LENGTH)) for extent in extents])
        for start, size in self._allocator.free_blocks():
            self._table.punch(start, size)
        self._table.punch(self._allocator.high, self._table.data_units.stop - self._allocator.high)
        return rows
