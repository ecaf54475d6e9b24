"""Writer and reader of an arena: snapshots are atomic and outlive their writer."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import pytest

from telegen.shm.allocator import ArenaFull
from telegen.shm.deflate import combine, compress, crc32, decompress
from telegen.shm.heartbeats import Heartbeats
from telegen.shm.layout import FLOOR, SLOTS, Arena, Column, FamilyEntry, pack_index, schema_encoder, unpack_index
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter

SCHEMA = schema_encoder.encode([FamilyEntry("one", b"# one\n", b"# one\n"), FamilyEntry("two", b"# two\n", b"# two\n")])


class Clock:
    """A clock that tests set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def arena() -> Iterator[Arena]:
    """A small arena."""
    arena = Arena.create("test", 1 << 22)
    yield arena


def put(writer: ArenaWriter, name: str, *texts: bytes) -> list[int]:
    """Publish a store with two equal columns, one cell per text; return the extents."""
    cells = [[writer.write(compress(text)) for text in texts] for _ in range(2)]
    crc, length = combine([(crc32(text), len(text)) for text in texts])
    index = pack_index([Column(crc, length, array("Q", column)) for column in cells])
    writer.publish(name, index, SCHEMA, len(texts), 0)
    return cells[0] + cells[1]


def shown(reader: ArenaReader, name: str) -> list[bytes]:
    """Return the texts of a store's columns."""
    snapshot = reader.load()
    assert snapshot is not None
    return [decompress(b"".join(reader.cells(column))) for column in snapshot.stores[name].columns]


def test_nothing_before_the_first_publication(arena: Arena) -> None:
    """A reader of an arena without a snapshot returns None."""
    assert ArenaReader(arena).load() is None


def test_published_store_is_read_back(arena: Arena) -> None:
    """Cells, checksums and headers are read as they were written, also in another process."""
    writer, reader = ArenaWriter(arena, ["s"]), ArenaReader(arena)
    put(writer, "s", b"first\n", b"second\n")
    snapshot = reader.load()
    assert snapshot is not None
    store = snapshot.stores["s"]
    assert [family.name for family in store.families] == ["one", "two"]
    assert store.entry.objects == 2
    assert shown(reader, "s") == [b"first\nsecond\n"] * 2
    assert store.columns[0].crc == crc32(b"first\nsecond\n")


def test_index_survives_packing() -> None:
    """Columns without cells keep their position."""
    columns = [Column(7, 3, array("Q", [1 << 40, 2])), Column(0, 0, array("Q")), Column(1, 2, array("Q", [5]))]
    assert unpack_index(pack_index(columns), 3) == columns


def test_freed_extents_wait_for_their_readers(arena: Arena) -> None:
    """Extents of a replaced snapshot stay for the grace time; then the floor rises."""
    clock = Clock()
    writer, reader = ArenaWriter(arena, ["s"], grace=1.0, clock=clock), ArenaReader(arena)
    old = put(writer, "s", b"old\n")
    snapshot = reader.load()
    assert snapshot is not None
    writer.free(old)
    put(writer, "s", b"new\n")
    assert decompress(b"".join(reader.cells(snapshot.stores["s"].columns[0]))) == b"old\n"
    assert reader.intact(snapshot.sequence)
    clock.now = 1.5
    put(writer, "s", b"newer\n")
    assert not reader.intact(snapshot.sequence)
    assert shown(reader, "s") == [b"newer\n"] * 2


def test_memory_is_reused(arena: Arena) -> None:
    """A store that is replaced again and again takes at most a few times its size."""
    clock = Clock()
    writer = ArenaWriter(arena, ["s"], grace=1.0, clock=clock)
    old: list[int] = []
    for number in range(2000):
        writer.free(old)
        clock.now += 0.6
        old = put(writer, "s", b"%d " % number * 3000)
    assert shown(ArenaReader(arena), "s")[0] == b"1999 " * 3000


def test_torn_slot_is_not_believed(arena: Arena) -> None:
    """A slot with a wrong checksum is ignored; the other slot has the snapshot before."""
    writer, reader = ArenaWriter(arena, ["s"]), ArenaReader(arena)
    put(writer, "s", b"old\n")
    put(writer, "s", b"new\n")
    newest = max(SLOTS, key=lambda start: arena.memory[start : start + 8])
    arena.memory[newest + 8] ^= 0xFF
    assert shown(reader, "s") == [b"old\n"] * 2


def test_damaged_directory_is_not_believed(arena: Arena) -> None:
    """A snapshot with an overwritten directory is rejected."""
    from telegen.shm.reader import TornSnapshot

    writer, reader = ArenaWriter(arena, ["s"]), ArenaReader(arena)
    put(writer, "s", b"text\n")
    snapshot = reader.load()
    assert snapshot is not None
    start = snapshot.directory >> 32 << 6
    arena.memory[start] ^= 0xFF
    with pytest.raises(TornSnapshot):
        ArenaReader(arena).load()
    assert reader.load() is snapshot, "what has been read whole stays true as long as nothing newer is there"


def test_successor_goes_on_serving_what_it_found(arena: Arena) -> None:
    """A new writer keeps the stores of its predecessor until it publishes its own, and does not overwrite them."""
    put(ArenaWriter(arena, ["kept", "gone"]), "kept", b"kept\n")
    put(ArenaWriter(arena, ["kept", "gone"]), "gone", b"gone\n")
    successor, reader = ArenaWriter(arena, ["kept", "new"]), ArenaReader(arena)
    assert shown(reader, "kept") == [b"kept\n"] * 2
    for number in range(50):
        put(successor, "new", b"%d\n" % number * 500)
        assert shown(reader, "kept") == [b"kept\n"] * 2
    snapshot = reader.load()
    assert snapshot is not None
    assert set(snapshot.stores) == {"kept", "new"}
    put(successor, "kept", b"fresh\n")
    assert shown(reader, "kept") == [b"fresh\n"] * 2


def test_full_arena_keeps_its_snapshot(arena: Arena) -> None:
    """A write that does not fit raises; published snapshots stay."""
    writer = ArenaWriter(arena, ["s"])
    put(writer, "s", b"text\n")
    with pytest.raises(ArenaFull):
        writer.write(bytes(1 << 23))
    assert shown(ArenaReader(arena), "s") == [b"text\n"] * 2


def test_floor_begins_at_nothing(arena: Arena) -> None:
    """In a new arena the floor is 0."""
    assert arena.memory[FLOOR] == bytes(8)


def test_heartbeats() -> None:
    """The age of a row is infinite before its process starts; the pid is removed when the process ends."""
    board = Heartbeats(2)
    assert board.age(1) == float("inf")
    board.enter(1, 4711)
    assert board.pid(1) == 4711
    assert board.age(1) < 5
    board.leave(1)
    assert board.pid(1) == 0
    assert board.age(0) == float("inf")


def test_cleared(arena: Arena) -> None:
    """A cleared arena has no snapshot; copies in progress are rejected; the next writer can publish."""
    writer, reader = ArenaWriter(arena, ["a"]), ArenaReader(arena)
    for text in (b"1\n", b"2\n", b"3\n"):
        put(writer, "a", text)
    before = reader.load()
    arena.clear()
    assert before and not reader.intact(before.sequence)
    assert reader.load() is None
    put(ArenaWriter(arena, ["a"]), "a", b"4\n")
    assert shown(reader, "a") == [b"4\n", b"4\n"]
    arena.clear()
    arena.clear()
    put(ArenaWriter(arena, ["a"]), "a", b"5\n")
    assert shown(reader, "a") == [b"5\n", b"5\n"]
