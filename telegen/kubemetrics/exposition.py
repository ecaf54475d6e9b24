"""Assembly of a page from the arenas. A scrape only copies: pages are formatted and compressed when they change."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Union

from telegen.metrics.family import has_short_twin
from telegen.shm.deflate import GZIP_HEADER, GZIP_TRAILER, combine, compress, crc32, decompressor, gzip_trailer
from telegen.shm.layout import FamilyEntry
from telegen.shm.reader import TRIES, ArenaReader, Snapshot, StoreSnapshot, TornSnapshot

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
EOF = b"# EOF\n"

SLICE = 24 * 1024
"""Bytes of deflate that are expanded at once, to some 170 kB of text, which is sent while it is in the processor's cache.
PERF: an identity page of 118 MB takes 130 ms; with 64 kB it takes 155."""
HUGE = 1 << 21
"""Bytes of a huge page (Linux, transparent huge pages)."""
SENT = 128 * 1024
"""Bytes of a gzip page per write."""

StoreFilter = Callable[[str], bool]
"""Predicate by resource name: True if the stores of the resource belong on the page."""

Buffer = Union[bytes, mmap.mmap]


@dataclass(frozen=True)
class Piece:
    """Text as pieces of deflate, with the crc32 and the length of the text."""

    deflate: Sequence[Union[bytes, memoryview]]
    crc: int
    length: int


@dataclass(frozen=True)
class Page:
    """A complete page as one gzip member (RFC 1952).

    Attributes:
        packed: the gzip member.
        size: bytes of the member.
        length: bytes of its text.
    """

    packed: Buffer
    size: int
    length: int

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> Page:
        """Copy pieces in this order. PERF: 16 MB in 8,000 cells take 6 ms, all of it memcpy."""
        crc, length = combine((piece.crc, piece.length) for piece in pieces)
        parts = [GZIP_HEADER, *chain.from_iterable(piece.deflate for piece in pieces), gzip_trailer(crc, length)]
        size = sum(map(len, parts))
        return cls(_joined(parts, size), size, length)

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


def assemble(readers: Sequence[ArenaReader], openmetrics: bool, wanted: StoreFilter | None = None) -> Page:
    """Assemble the page of all stores in some arenas.

    Families of one name, from several stores or arenas, share one header. A family has a header when its store has
    objects, even if none of them has a sample of it.

    Args:
        wanted: stores to include, all if None.

    Raises:
        TornSnapshot: an arena changed during every try, because its writer reclaims faster than this process copies.
    """
    for _ in range(TRIES):
        page, intact = _assemble_once(readers, openmetrics, wanted)
        if intact:
            return page
    raise TornSnapshot(", ".join(reader.name for reader in readers))


def published_stores(readers: Sequence[ArenaReader]) -> set[tuple[str, str]]:
    """Return (arena, store) of all published stores. Several arenas may have a store of one name, each with a part of it."""
    return {(reader.name, name) for reader in readers if (snapshot := reader.load()) for name in snapshot.stores}


def _assemble_once(readers: Sequence[ArenaReader], openmetrics: bool, wanted: StoreFilter | None) -> tuple[Page, bool]:
    """Assemble a page; return it, and False if an extent was reclaimed while it was copied."""
    loaded = [(reader, snapshot) for reader in readers if (snapshot := reader.load())]
    families: dict[str, tuple[FamilyEntry, list[Piece]]] = {}
    for reader, store in _in_order(loaded, wanted):
        for family, column in zip(store.families, store.columns):
            _, pieces = families.setdefault(family.name, (family, []))
            if column.length:
                pieces.append(Piece(reader.cells(column), column.crc, column.length))
    pieces = []
    for name, (family, samples) in families.items():
        is_short = openmetrics and not has_short_twin(name, families)
        pieces += [_constant(family.openmetrics if is_short else family.text), *samples]
    if openmetrics:
        pieces.append(_constant(EOF))
    page = Page.of(pieces)
    return page, all(reader.intact(snapshot.sequence) for reader, snapshot in loaded)


def _in_order(
    loaded: Collection[tuple[ArenaReader, Snapshot]], wanted: StoreFilter | None
) -> list[tuple[ArenaReader, StoreSnapshot]]:
    """Return the stores that have objects, in the order of the page."""
    found = [
        ((store.entry.order, name), reader, store)
        for reader, snapshot in loaded
        for name, store in snapshot.stores.items()
        if store.entry.objects and (wanted is None or wanted(resource_of(name)))
    ]
    found.sort(key=lambda item: item[0])
    return [(reader, store) for _, reader, store in found]


def resource_of(store: str) -> str:
    """Return the resource of a store: `pods` for `pods`, and for `pods/shop`, the store of one namespace."""
    return store.partition("/")[0]
