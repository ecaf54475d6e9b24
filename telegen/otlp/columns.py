"""Encoded cells: what a push keeps of the shared memory, so that only cells that change are parsed and encoded again."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from telegen.shm.deflate import compress, crc32, decompress
from telegen.shm.layout import Column
from telegen.shm.reader import ArenaReader, TornSnapshot

CellKey = int
"""Extent, and crc32 of its deflated text in the lowest 32 bits. The extent alone is not enough, as the writer uses memory again."""


class Family(Protocol):
    """Encoder of one family of the page."""

    @property
    def name(self) -> str:
        """Name on the page."""

    def encode(self, lines: bytes) -> tuple[bytes, int]:
        """Encode the lines of a cell.

        Returns:
            The points, and their number.

        Raises:
            ValueError: a line is malformed.
        """

    def series(self, points: bytes) -> list[bytes]:
        """Return the identity of the series of each encoded point."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The encoded points of one family for the objects of a block.

    Attributes:
        packed: the points, deflated; their family knows the encoding.
        points: their number.
        block: number of the block in its store.
    """

    packed: bytes
    points: int
    block: int = 0

    def unpack(self) -> bytes:
        """Return the points."""
        return decompress(self.packed)


@dataclass(frozen=True)
class EncodedColumn:
    """One family of one store as of one push.

    Attributes:
        crc, length, extents: of the column in the shared memory; equal ones mean an unchanged column.
        cells: the encoded cells in the order of the page.
    """

    crc: int = 0
    length: int = 0
    extents: "array[int]" = field(default_factory=lambda: array("Q"))
    cells: Mapping[CellKey, Cell] = field(default_factory=dict)

    def is_current(self, column: Column) -> bool:
        """Return True if the shared memory still has this column."""
        return (self.crc, self.length, self.extents) == (column.crc, column.length, column.cells)


def encode_column(before: EncodedColumn, reader: ArenaReader, sequence: int, column: Column, family: Family) -> EncodedColumn:
    """Encode the cells of a column that `before` lacks.

    PERF: 1 us per unchanged cell of a column that has changed; nothing for the cells of an unchanged column.

    Args:
        sequence: of the snapshot that has the column.

    Raises:
        TornSnapshot: the writer has reclaimed a cell meanwhile.
    """
    if before.is_current(column):
        return before
    cells: dict[CellKey, Cell] = {}
    present = ((block, extent) for block, extent in enumerate(column.cells) if extent)
    for (block, extent), view in zip(present, reader.cells(column)):
        key = extent << 32 | crc32(view)
        known = before.cells.get(key)
        if known is None:
            packed = bytes(view)
            if not reader.intact(sequence):
                raise TornSnapshot(reader.name)
            points, number = family.encode(decompress(packed))
            known = Cell(compress(points), number, block)
        cells[key] = known
    return EncodedColumn(column.crc, column.length, column.cells, cells)


def vanished(before: EncodedColumn, after: EncodedColumn, family: Family) -> list[bytes]:
    """Return the series of `before` that `after` lacks."""
    if before is after:
        return []
    gone = series_in(new_cells(after, before), family)
    if not gone:
        return []
    # A series stays in its cell or moves to one that has changed as well, so the cells that both have need no look.
    return list(gone - series_in(new_cells(before, after), family))


def new_cells(before: EncodedColumn, after: EncodedColumn) -> list[Cell]:
    """Return the cells of `after` that `before` lacks."""
    return [] if before is after else [cell for key, cell in after.cells.items() if key not in before.cells]


def series_in(cells: Iterable[Cell], family: Family) -> set[bytes]:
    """Return every series of some cells."""
    found: set[bytes] = set()
    for cell in cells:
        found.update(family.series(cell.unpack()))
    return found
