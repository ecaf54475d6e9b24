"""Layout of an arena in bytes, and the protocol between its writer and its readers.

    offset  size
    0       8     magic and version
    8       8     floor: snapshots with a sequence below it may have lost extents
    64      32    slot 0: sequence, directory extent, crc32 of the directory, crc32 of the slot
    128     32    slot 1
    4096    ...   extents, in units of 64 bytes

An extent is one integer: unit << 32 | length in bytes; 0 means none. The directory is MessagePack, {store: StoreEntry}.
Each store's index is a table of its columns (number of cells, crc32 of the column's text, its length, its series) followed by the
cells' extents, column by column.

One process writes an arena and any number read it, without locks. The writer writes new extents, then a new directory,
then the slot that is not current. A reader takes the slot with the higher sequence whose checksums match, copies, and
accepts the copy only if the floor is still at or below the sequence. Checksums replace the memory fences that Python
does not have: on arm64 a reader may see the slot before the extents.
"""

from __future__ import annotations

import mmap
import os
import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union

import msgspec

from telegen.shm.region import create_memory_file, readable_mapping

MAGIC = b"TELEGEN\x01"
FLOOR = slice(8, 16)
SLOTS = (64, 128)
SLOT = struct.Struct("<QQII")
SLOT_CHECK = struct.Struct("<I")
COLUMN = struct.Struct("<IIQQ")
UNIT_BITS = 6
UNIT = 1 << UNIT_BITS
FIRST = 4096 >> UNIT_BITS
LENGTH = 0xFFFFFFFF
PUNCH = 256 * 1024
"""Bytes from which a free block is returned to the system: punching costs a system call and later page faults."""

Buffer = Union[bytes, memoryview]


class Withheld(msgspec.Struct, array_like=True):
    """Series of a family that a budget withholds, and the name of that budget."""

    series: int
    budget: str


class StoreEntry(msgspec.Struct, array_like=True):
    """Entry of one store in the directory.

    Attributes:
        index, index_crc: extent and checksum of its index.
        schema, schema_crc: extent and checksum of its families' headers, a list of `FamilyEntry`.
        objects: number of objects.
        order: position of its families on the page: lower first, then by name.
        published: time of the publication in Unix seconds.
        withheld: series that are not published, by family.
        is_old: the store is out of sync for longer than `max_staleness`, and not shown.
    """

    # array_like: the order of the fields is the format.
    index: int
    index_crc: int
    schema: int
    schema_crc: int
    objects: int
    order: int
    published: float
    withheld: Mapping[str, Withheld] = {}
    is_old: bool = False


class FamilyEntry(msgspec.Struct, array_like=True):
    """One column: the family's name and its HELP and TYPE lines in both formats."""

    name: str
    text: bytes
    openmetrics: bytes


directory_encoder = msgspec.msgpack.Encoder()
directory_decoder = msgspec.msgpack.Decoder(dict[str, StoreEntry])
schema_encoder = msgspec.msgpack.Encoder()
_groups_encoder = msgspec.msgpack.Encoder()
_groups_decoder = msgspec.msgpack.Decoder(dict[str, list[int]])
schema_decoder = msgspec.msgpack.Decoder(list[FamilyEntry])


@dataclass
class Arena:
    """Anonymous shared memory, inherited over fork: a memfd and its mapping.

    It is large and sparse: the kernel allocates memory pages when they are written, and holes are punched when extents are
    freed. Without a name it cannot outlive the agent, not even after SIGKILL.
    """

    name: str
    fd: int
    memory: mmap.mmap

    @classmethod
    def create(cls, name: str, limit: int) -> "Arena":
        """Create an arena that can grow to `limit` bytes.

        Raises:
            OSError: the system has no memory or no file descriptors left.
        """
        fd = create_memory_file(f"telegen-{name}")
        os.ftruncate(fd, limit)
        memory = mmap.mmap(fd, limit)
        memory[: len(MAGIC)] = MAGIC
        return cls(name, fd, memory)

    def clear(self) -> None:
        """Remove all that is published and free its memory. Call it only while no process writes the arena."""
        newest = max(SLOT.unpack(self.memory[start : start + SLOT.size])[0] for start in SLOTS)
        # The next writer numbers its snapshots above the floor, so that a reader that is copying now finds its copy rejected.
        self.memory[FLOOR] = max(newest + 1, int.from_bytes(self.memory[FLOOR], "little")).to_bytes(8, "little")
        for start in SLOTS:
            self.memory[start : start + SLOT.size] = bytes(SLOT.size)
        self.memory.madvise(mmap.MADV_REMOVE, mmap.PAGESIZE, len(self.memory) - mmap.PAGESIZE)

    def protect(self) -> None:
        """Let this process and its children only read the arena from now on (see `telegen.shm.region`)."""
        readable = readable_mapping(self.fd, len(self.memory))
        self.close()
        self.memory, self.fd = readable, -1

    def close(self) -> None:
        """Unmap and close; the kernel frees the memory when the last process has closed it."""
        self.memory.close()
        if self.fd >= 0:
            os.close(self.fd)


def pack_extent(unit: int, length: int) -> int:
    """Return an extent as one integer."""
    return unit << 32 | length


def span(extent: int) -> slice:
    """Return the range of bytes of an extent."""
    start = extent >> 32 << UNIT_BITS
    return slice(start, start + (extent & LENGTH))


def units(length: int) -> int:
    """Return the number of units that hold `length` bytes: at least one, as the allocator has no blocks without a unit. The index of a
    store without families is empty."""
    return max(1, (length + UNIT - 1) >> UNIT_BITS)


def punch(memory: mmap.mmap, start: int, size: int) -> None:
    """Return the whole memory pages inside a free block of units to the system."""
    page = mmap.PAGESIZE
    first = (start * UNIT + page - 1) // page * page
    last = (start + size) * UNIT // page * page
    if last > first:
        memory.madvise(mmap.MADV_REMOVE, first, last - first)


@dataclass(frozen=True)
class Column:
    """One family's cells in one store.

    Attributes:
        crc, length: crc32 and bytes of the whole text of the column.
        cells: extents of its deflate pieces, one for each block, 0 for a block without text.
        series: number of its samples.
    """

    crc: int
    length: int
    cells: "array[int]"
    series: int = 0


def pack_index(columns: list[Column], groups: bytes = b"") -> bytes:
    """Encode the index of a store.

    Args:
        groups: see `pack_groups`; b"" if the objects have no groups.
    """
    heads = [COLUMN.pack(len(column.cells), column.crc, column.length, column.series) for column in columns]
    return b"".join([*heads, *[column.cells.tobytes() for column in columns], groups])


def pack_groups(blocks: dict[str, list[int]]) -> bytes:
    """Encode the numbers of the blocks that have objects of each group."""
    return _groups_encoder.encode(blocks)


def unpack_groups(index: bytes, columns: list[Column]) -> dict[str, list[int]] | None:
    """Return the blocks of each group of a store; None if its objects have no groups.

    Args:
        columns: those of the index.
    """
    packed = index[sum(COLUMN.size + 8 * len(column.cells) for column in columns) :]
    return _groups_decoder.decode(packed) if packed else None


def unpack_index(index: bytes, columns: int) -> list[Column]:
    """Decode an index whose checksum was verified."""
    result, start = [], columns * COLUMN.size
    for cells, crc, length, series in COLUMN.iter_unpack(index[:start]):
        extents = array("Q")
        extents.frombytes(index[start : start + 8 * cells])
        result.append(Column(crc, length, extents, series))
        start += 8 * cells
    return result
