"""Stress test: writers relist and update at full speed, readers check every byte, and no page is torn."""

from __future__ import annotations

import contextlib
import gzip
import mmap
import os
import signal
import time
import traceback
from collections.abc import Callable

from telegen.kubemetrics.exposition import assemble
from telegen.metrics.family import ALPHA, Object, gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader, TornSnapshot
from telegen.shm.writer import ArenaWriter

FAMILIES = tuple(gauge(f"family_{n}", "Says its object's round.", ALPHA, lambda obj: obj["round"]) for n in range(6))
IDENTITY = (("store", lambda obj: obj["store"]), ("object", lambda obj: obj["metadata"]["uid"]))
OBJECTS = 150
SECONDS, LIMIT = 4.0, 45.0
"""Seconds for which the writers write at least, and at most."""
PAGES, TURNS = 20, 4
"""Pages that a reader checks at least, and different states among them."""
GRACE = 0.02
"""Much shorter than in production, so that memory is reclaimed while readers copy."""


def thing(store: str, number: int, turn: int) -> Object:
    """An object; the value of all its samples is the turn."""
    return {"store": store, "metadata": {"uid": f"{number}", "resourceVersion": f"{turn}.{number}"}, "round": turn}


def write(arena: Arena, name: str, ended: mmap.mmap) -> None:
    """Relist, then update all objects one by one and publish now and then; repeat until the first byte of `ended` is set."""

    def failed(family: str, error: Exception) -> None:
        raise error

    store = MetricsStore(name, FAMILIES, renderer(IDENTITY, FAMILIES, failed), ArenaWriter(arena, [name], GRACE), 0, 16)
    turn = 0
    while not ended[0]:
        turn += 1
        store.replace(("ADDED", thing(name, number, turn)) for number in range(OBJECTS))
        turn += 1
        for number in range(OBJECTS):
            store.upsert(thing(name, number, turn))
            if number % 10 == 0:
                store.flush()
        store.flush()


def read(arenas: list[Arena]) -> None:
    """Assemble pages and check each: complete gzip, every series once, values at most one turn apart."""
    readers = [ArenaReader(arena) for arena in arenas]
    pages, turns, started = 0, set[str](), time.monotonic()
    while (elapsed := time.monotonic() - started) < SECONDS or pages < PAGES or len(turns) < TURNS:
        assert elapsed < LIMIT, f"only {pages} pages of {len(turns)} states"
        # A reader that does not run for a while, as on a busy machine, finds its memory reclaimed.
        with contextlib.suppress(TornSnapshot):
            text = gzip.decompress(b"".join(assemble(readers, False).gzip())).decode()
            if text:
                pages += 1
                turns.add(check(text))


def check(text: str) -> str:
    """Check every line of a page; return the turns on it."""
    values: dict[str, dict[str, int]] = {}
    for line in text.split("\n"):
        if line and line[0] != "#":
            series, _, value = line.rpartition(" ")
            store = series.split('"')[1]
            known = values.setdefault(store, {})
            assert series not in known, f"{series} twice"
            known[series] = int(value)
    for store, known in values.items():
        assert len(known) == OBJECTS * len(FAMILIES), f"{store}: {len(known)} series"
        assert max(known.values()) - min(known.values()) <= 1, f"{store}: turns apart"
    return str({store: max(known.values()) for store, known in values.items()})


def forked(work: Callable[[], None]) -> int:
    """Fork a process that runs `work` and ends with 0 on success."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def test_no_torn_page() -> None:
    """With two writers and two readers for at least four seconds every page is complete and consistent."""
    arenas, ended = [Arena.create(name, 1 << 26) for name in ("a", "b")], mmap.mmap(-1, 1)
    writers = [forked(lambda arena=arena: write(arena, arena.name, ended)) for arena in arenas]
    readers = [forked(lambda: read(arenas)) for _ in range(2)]
    statuses = [os.waitpid(pid, 0)[1] for pid in readers]
    ended[0] = 1
    assert statuses + [os.waitpid(pid, 0)[1] for pid in writers] == [0] * 4


def test_writer_killed_at_any_moment_leaves_whole_pages() -> None:
    """After kill -9 of a writer at any point, twenty times, the page stays complete, and the successor continues."""
    arena = Arena.create("a", 1 << 26)
    reader = ArenaReader(arena)
    for turn in range(20):
        pid = forked(lambda: write(arena, "a", mmap.mmap(-1, 1)))
        time.sleep(0.05 + turn * 0.007)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        text = gzip.decompress(b"".join(assemble([reader], False).gzip())).decode()
        if text:
            check(text)
    assert text
