"""Assembly of a page from the arenas. A scrape only copies: pages are formatted and compressed when they change."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Union

from telegen.kubemetrics.namespaces import Piece, blocks_of, of_namespaces
from telegen.kubemetrics.selection import ALL, Selection
from telegen.metrics.family import has_short_twin
from telegen.shm.deflate import GZIP_HEADER, GZIP_TRAILER, combine, compress, crc32, decompressor, gzip_trailer
from telegen.shm.layout import FamilyEntry
from telegen.shm.reader import TRIES, ArenaReader, Snapshot, StoreSnapshot, TornSnapshot

EOF = b"# EOF\n"

SLICE = 24 * 1024
"""Bytes of deflate that are expanded at once, to some 170 kB of text, which is sent while it is in the processor's cache.
PERF: an identity page of 118 MB takes 130 ms; with 64 kB it takes 155."""
HUGE = 1 << 21
"""Bytes of a huge page (Linux, transparent huge pages)."""
SENT = 128 * 1024
"""Bytes of a gzip page per write."""

StoreFilter = Callable[[str, str], bool]
"""Predicate by worker and store: True if the store may be shown."""

Buffer = Union[bytes, mmap.mmap]
Loaded = Sequence[tuple[ArenaReader, Snapshot]]
Sequences = tuple[tuple[str, int], ...]
"""Name and sequence number of arenas: equal sequences mean equal content."""


@dataclass(frozen=True)
class Page:
    """A complete page as one gzip member (RFC 1952).

    Attributes:
        packed: the gzip member.
        size: bytes of the member.
        length: bytes of its text.
        sequences: name and sequence number of each arena that it was copied from.
    """

    packed: Buffer
    size: int
    length: int
    sequences: Sequences = ()

    @classmethod
    def of(cls, pieces: Sequence[Piece], sequences: Sequences = ()) -> Page:
        """Copy pieces in this order. PERF: 16 MB in 8,000 cells take 6 ms, all of it memcpy."""
        crc, length = combine((piece.crc, piece.length) for piece in pieces)
        parts = [GZIP_HEADER, *chain.from_iterable(piece.deflate for piece in pieces), gzip_trailer(crc, length)]
        size = sum(map(len, parts))
        return cls(_joined(parts, size), size, length, sequences)

    def gzip(self) -> Iterator[bytes]:
        """Yield the member in parts."""
        for start in range(0, self.size, SENT):
            yield self.packed[start : min(start + SENT, self.size)]

    def text(self) -> Iterator[bytes]:
        """Yield the text in parts. PERF: 118 MB take 100 ms."""
        stream, end = decompressor(), self.size - GZIP_TRAILER
        for start in range(len(GZIP_HEADER), end, SLICE):
            yield stream.decompress(self.packed[start : min(start + SLICE, end)])


def _joined(parts: Sequence[Union[bytes, memoryview]], size: int) -> Buffer:
    """Concatenate parts.

    PERF: fresh memory costs one fault per page, up to 4 us each on a virtual machine. With huge pages 16 MB cost 8 faults
    instead of 4,000.
    """
    if size < HUGE:
        return b"".join(parts)
    buffer = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without huge pages
        buffer.madvise(mmap.MADV_HUGEPAGE)
    for part in parts:
        buffer.write(part)
    return buffer


@lru_cache(maxsize=4096)
def _constant(text: bytes) -> Piece:
    """Compress text that is equal in every scrape: headers and the end mark."""
    return Piece([compress(text)], crc32(text), len(text))


def sequences(readers: Sequence[ArenaReader]) -> Sequences:
    """Return the sequence numbers of the newest snapshots.

    Raises:
        TornSnapshot: see `ArenaReader.load`.
    """
    return tuple((reader.name, snapshot.sequence if snapshot else 0) for reader in readers for snapshot in [reader.load()])


def assemble(
    readers: Sequence[ArenaReader], openmetrics: bool, selection: Selection = ALL, stores: StoreFilter | None = None
) -> Page:
    """Assemble the page of all stores in some arenas.

    Families of one name, from several stores or arenas, share one header. A family has a header when its store has
    objects, even if none of them has a sample of it.

    Args:
        stores: stores that may be shown, all if None.

    Raises:
        TornSnapshot: an arena changed during every try, because its writer reclaims faster than this process copies.
    """
    for _ in range(TRIES):
        loaded = [(reader, snapshot) for reader in readers if (snapshot := reader.load())]
        try:
            pieces = _pieces(loaded, openmetrics, selection, stores)
        except TornSnapshot:
            continue
        numbers = {reader.name: snapshot.sequence for reader, snapshot in loaded}
        page = Page.of(pieces, tuple((reader.name, numbers.get(reader.name, 0)) for reader in readers))
        # Every extent that was copied is still the snapshot's.
        if all(reader.intact(snapshot.sequence) for reader, snapshot in loaded):
            return page
    raise TornSnapshot(", ".join(reader.name for reader in readers))


def published_stores(readers: Sequence[ArenaReader]) -> set[tuple[str, str]]:
    """Return (arena, store) of all published stores. Several arenas may have a store of one name, each with a part of it."""
    return {(reader.name, name) for reader in readers if (snapshot := reader.load()) for name in snapshot.stores}


def _pieces(loaded: Loaded, openmetrics: bool, selection: Selection, stores: StoreFilter | None) -> list[Piece]:
    """Return headers and samples of a page, the samples as views of the arenas."""
    families: dict[str, tuple[FamilyEntry, list[Piece]]] = {}
    is_selected = selection.has_family()
    namespaces = selection.namespaces
    for reader, store, sequence in _in_order(loaded, selection, stores):
        blocks = blocks_of(store, namespaces) if namespaces is not None else {}
        for family, column in zip(store.families, store.columns):
            # A column of a counter with its creation time is for one of the formats.
            if not (family.openmetrics if openmetrics else family.text) or not is_selected(family.name):
                continue
            _, pieces = families.setdefault(family.name, (family, []))
            if column.length and namespaces is None:
                pieces.append(Piece(reader.cells(column), column.crc, column.length))
            elif column.length and blocks:
                pieces += of_namespaces(reader, sequence, column, blocks)
    pieces = []
    for name, (family, samples) in families.items():
        # A page of some namespaces has no headers of what they have not.
        if namespaces is not None and not samples:
            continue
        is_short = openmetrics and not has_short_twin(name, families)
        pieces += [_constant(family.openmetrics if is_short else family.text), *samples]
    if openmetrics:
        pieces.append(_constant(EOF))
    return pieces


def _in_order(loaded: Loaded, selection: Selection, stores: StoreFilter | None) -> list[tuple[ArenaReader, StoreSnapshot, int]]:
    """Return the selected stores that have objects, in the order of the page, with the sequence numbers of their snapshots."""
    found = [
        ((store.entry.order, name), reader, store, snapshot.sequence)
        for reader, snapshot in loaded
        for name, store in snapshot.stores.items()
        if store.entry.objects
        and not store.entry.is_old
        and selection.has_resource(resource_of(name))
        and (stores is None or stores(reader.name, name))
    ]
    found.sort(key=lambda item: item[0])
    return [(reader, store, sequence) for _, reader, store, sequence in found]


def resource_of(store: str) -> str:
    """Return the resource of a store: `pods` for `pods`, and for `pods/shop`, the store of one namespace."""
    return store.partition("/")[0]
