"""Table of documents: rows are replaced as a whole, and outlive their writer."""

from __future__ import annotations

import os
import signal
import time

import pytest

from telegen.shm.allocator import ArenaFull
from telegen.shm.document_table import CURRENT, DESCRIPTION, EXTRA, DocumentTable, TableWriter
from tests.shm.test_arena import Clock


def table(limit: int = 1 << 20) -> DocumentTable:
    """Return a small table."""
    return DocumentTable("test", 8, limit)


def documents(known: DocumentTable, row: int) -> list[bytes]:
    """Return all documents of a row."""
    found = known.read(row, DESCRIPTION, CURRENT, EXTRA)
    assert found
    return found[1]


def test_documents_are_read_back() -> None:
    """A row has the documents and numbers that were written; one that was not written is empty."""
    known = table()
    TableWriter(known).write(3, {DESCRIPTION: b"who", CURRENT: b"what"}, (1.5, 2.5))
    found = known.read(3, CURRENT, EXTRA)
    assert found and found[1] == [b"what", b""] and found[0].numbers == (1.5, 2.5)
    assert known.read(2, CURRENT) is None


def test_version_changes_with_the_description_only() -> None:
    """A new version shows readers which rows to index anew; usage alone gives none."""
    known = table()
    writer = TableWriter(known)
    writer.write(0, {DESCRIPTION: b"a", CURRENT: b"1"}, (1.0, 1.0))
    first = known.versions()
    writer.write(0, {CURRENT: b"2"})
    assert known.versions() == first and documents(known, 0) == [b"a", b"2", b""]
    writer.write(0, {DESCRIPTION: b"b"})
    assert known.versions()[0] > first[0] and documents(known, 0) == [b"b", b"2", b""]
    assert known.versions()[1:] == first[1:]


def test_freed_row_is_taken_again() -> None:
    """A freed row is absent for readers, and the first that the next source is given."""
    known = table()
    writer = TableWriter(known)
    first, second = writer.take_row(), writer.take_row()
    assert (first, second) == (0, 1)
    writer.write(0, {DESCRIPTION: b"a"})
    writer.clear(0)
    assert known.read(0, DESCRIPTION) is None and writer.take_row() == 0


def test_table_without_free_rows() -> None:
    """There are as many rows as were reserved."""
    writer = TableWriter(table())
    assert [writer.take_row() for _ in range(9)] == [*range(8), None]


def test_successor_keeps_all_rows() -> None:
    """The next writer neither loses nor overwrites what the last one has stored, and gives new versions."""
    known = table()
    first = TableWriter(known)
    for row in range(3):
        first.write(row, {DESCRIPTION: b"%d" % row * 100, CURRENT: b"x" * 1000})
    versions = known.versions()
    first.clear(1)
    second = TableWriter(known)
    assert sorted(second) == [0, 2] and second.take_row() == 1
    for _ in range(20):
        second.write(1, {DESCRIPTION: b"new", CURRENT: b"y" * 1000})
    assert documents(known, 0) == [b"0" * 100, b"x" * 1000, b""]
    assert documents(known, 2) == [b"2" * 100, b"x" * 1000, b""]
    assert known.versions()[1] > max(versions)


def test_row_that_was_being_written_is_freed() -> None:
    """If the writer ended inside a row, its successor frees that row and keeps the others."""
    known = table()
    first = TableWriter(known)
    first.write(0, {DESCRIPTION: b"a"})
    first.write(1, {DESCRIPTION: b"b"})
    start = 8 * known.rows + 64
    known._memory[start + 20 : start + 24] = b"torn"
    with pytest.raises(TimeoutError, match="changes faster"):
        known.read(1, DESCRIPTION)
    assert sorted(TableWriter(known)) == [0]
    assert known.read(1, DESCRIPTION) is None


def test_memory_is_reused_after_the_grace_time() -> None:
    """Replaced documents stay readable for a grace time, and are no leak after it."""
    known, clock = table(limit=1 << 14), Clock()
    writer = TableWriter(known, grace=1.0, clock=clock)
    for number in range(1000):
        writer.write(0, {DESCRIPTION: b"d", CURRENT: b"%d" % number * 1000})
        clock.now += 0.5
    assert documents(known, 0)[CURRENT] == b"999" * 1000


def test_full_table_keeps_what_it_has() -> None:
    """A document without room leaves the row as it was, and takes no memory."""
    known, clock = table(limit=1 << 14), Clock()
    writer = TableWriter(known, grace=1.0, clock=clock)
    writer.write(0, {DESCRIPTION: b"d", CURRENT: b"old"})
    for _ in range(3):
        with pytest.raises(ArenaFull):
            writer.write(0, {DESCRIPTION: b"e" * 8000, CURRENT: b"x" * (1 << 14)})
    assert documents(known, 0) == [b"d", b"old", b""]
    writer.write(0, {CURRENT: b"y" * 8000})
    assert documents(known, 0)[CURRENT] == b"y" * 8000


def _write_for_ever(known: DocumentTable) -> None:
    writer = TableWriter(known, grace=0.01)
    number = 0
    while True:
        number += 1
        text = b"%d" % number
        writer.write(0, {DESCRIPTION: text * 50, CURRENT: text * 2000})


def test_documents_of_a_row_belong_together() -> None:
    """A reader in another process never sees two documents of different writes, although rows change all the time."""
    known = table(limit=1 << 26)
    pid = os.fork()
    if pid == 0:
        _write_for_ever(known)
    try:
        seen, until = set(), time.monotonic() + 60
        while len(seen) < 200 and time.monotonic() < until:
            found = known.read(0, DESCRIPTION, CURRENT)
            if found:
                description, usage = found[1]
                number = description[: len(description) // 50]
                assert (description, usage) == (number * 50, number * 2000)
                seen.add(number)
        assert len(seen) == 200
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
