"""A page put together from what the arenas hold: only copies, nothing is formatted or compressed at a scrape (D3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from telegen.shm.deflate import GZIP_HEADER, combine, compress, crc32, decompressor, gzip_trailer
from telegen.shm.layout import FamilyEntry
from telegen.shm.reader import TRIES, ArenaReader, Snapshot, StoreSnapshot, TornSnapshot

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
EOF = b"# EOF\n"

SLICE = 24 * 1024
"""Bytes of deflate that are expanded at once, to some 170 kB of text: what is sent is still in the processor's cache.
PERF: an identity page of 118 MB in 130 ms; with 64 kB, 155."""

Wanted = Callable[[str], bool]
"""Whether a store, by its resource name, belongs on the page."""


@dataclass(frozen=True)
class Piece:
    """A run of text as deflate pieces, with the crc32 and the length of the text."""

    deflate: bytes
    crc: int
    length: int


@dataclass(frozen=True)
class Page:
    """All pieces of a page, in order."""

    pieces: list[Piece]

    @property
    def length(self) -> int:
        """Bytes of text."""
        return sum(piece.length for piece in self.pieces)

    def gzip(self) -> list[bytes]:
        """The page as one gzip member (RFC 1952), in parts. PERF: 16 MB in 10 ms, all of it memcpy by `assemble`."""
        crc, length = combine((piece.crc, piece.length) for piece in self.pieces)
        return [*_merged([GZIP_HEADER, *[piece.deflate for piece in self.pieces]]), gzip_trailer(crc, length)]

    def text(self) -> Iterator[bytes]:
        """The page as text, in parts. PERF: 118 MB in 100 ms."""
        for run in _merged([piece.deflate for piece in self.pieces]):
            stream = decompressor()
            for start in range(0, len(run), SLICE):
                yield stream.decompress(run[start : start + SLICE])


def _merged(parts: list[bytes]) -> Iterator[bytes]:
    """The same bytes in parts of at least `SLICE`: each costs a system call."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= SLICE:
            yield b"".join(waiting) if len(waiting) > 1 else part
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


@lru_cache(maxsize=4096)
def _constant(text: bytes) -> Piece:
    """Text that stays the same from scrape to scrape: headers and the end mark."""
    return Piece(compress(text), crc32(text), len(text))


def assemble(readers: Sequence[ArenaReader], openmetrics: bool, wanted: Wanted | None = None) -> Page:
    """The page of all stores in these arenas.

    Families of one name, from several stores or arenas, stand together under one header. A family has a header when its
    store has objects, even if none of them says anything in it.

    Raises:
        TornSnapshot: an arena changed under every try; its writer reclaims faster than this process copies.
    """
    for _ in range(TRIES):
        page, whole = _assemble_once(readers, openmetrics, wanted)
        if whole:
            return page
    raise TornSnapshot(", ".join(reader.name for reader in readers))


def published_stores(readers: Sequence[ArenaReader]) -> set[tuple[str, str]]:
    """(arena, store) of all published stores; several arenas may have one of the same name, a shard each."""
    return {(reader.name, name) for reader in readers if (snapshot := reader.load()) for name in snapshot.stores}


def _assemble_once(readers: Sequence[ArenaReader], openmetrics: bool, wanted: Wanted | None) -> tuple[Page, bool]:
    """A page and whether all that was copied for it was still there afterwards."""
    loaded = [(reader, snapshot) for reader in readers if (snapshot := reader.load())]
    families: dict[str, tuple[FamilyEntry, list[Piece]]] = {}
    for reader, store in _in_order(loaded, wanted):
        for family, column in zip(store.families, store.columns):
            _, pieces = families.setdefault(family.name, (family, []))
            if column.length:
                pieces.append(Piece(reader.copy(column), column.crc, column.length))
    whole = all(reader.intact(snapshot.sequence) for reader, snapshot in loaded)
    pieces = []
    for family, samples in families.values():
        pieces += [_constant(family.openmetrics if openmetrics else family.text), *samples]
    if openmetrics:
        pieces.append(_constant(EOF))
    return Page(pieces), whole


def _in_order(
    loaded: Collection[tuple[ArenaReader, Snapshot]], wanted: Wanted | None
) -> list[tuple[ArenaReader, StoreSnapshot]]:
    """Stores with objects, in the order of the page."""
    found = [
        ((store.entry.order, name), reader, store)
        for reader, snapshot in loaded
        for name, store in snapshot.stores.items()
        if store.entry.objects and (wanted is None or wanted(resource_of(name)))
    ]
    found.sort(key=lambda item: item[0])
    return [(reader, store) for _, reader, store in found]


def resource_of(store: str) -> str:
    """The resource of a store: stores are called `pods`, or `pods/shop` when each namespace has one."""
    return store.partition("/")[0]
