"""Many reflectors in one thread: each follows its own collection, and none waits for another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from telegen.api.client import Client, Timeouts
from telegen.api.collection import Collection
from telegen.api.credentials import credentials
from telegen.api.reflector import Reflector
from telegen.api.watch_loop import WatchLoop
from tests.api.wire import (
    FAST,
    PATIENCE,
    Noted,
    Recorder,
    ScriptedServer,
    Step,
    added,
    event,
    pod,
    silence,
    stream,
    whole,
)
from tests.process_tree import wait_for


@contextmanager
def following(*scripts: list[Step], read: float = 20.0) -> Iterator[list[tuple[Recorder, Noted, ScriptedServer]]]:
    """A loop with one reflector per script, each with a server of its own."""
    stop, rows, reflectors = threading.Event(), [], []
    for steps in scripts:
        server, store, noted = ScriptedServer(steps).start(), Recorder(), Noted()
        client = Client(credentials(server.url, {}), Timeouts(10.0, read))
        reflectors.append(Reflector(client, Collection("/api/v1/pods"), store, noted, stop, FAST, draw=lambda: 0.5))
        rows.append((store, noted, server))
    threads: list[threading.Thread] = []

    def start(name: str, run: Callable[[], None]) -> None:
        threads.append(threading.Thread(target=run, name=name, daemon=True))
        threads[-1].start()

    loop = WatchLoop(reflectors, stop, start)
    loop.start()
    try:
        yield rows
    finally:
        stop.set()
        for _, _, server in rows:
            server.stop()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        loop.close()


def wait_held(store: Recorder, *names: str) -> None:
    """Wait until a store holds exactly these objects."""
    wait_for(f"{names}", lambda: set(store.held) == set(names), 5, 0.005)


def test_many_watches() -> None:
    """Each of fifty collections gets its state and its changes, with far fewer threads."""
    scripts: list[list[Step]] = [[stream(*whole(f"a{n}"), added(f"b{n}", 11), after=0.05)] for n in range(50)]
    before = threading.active_count()
    with following(*scripts) as rows:
        for number, (store, noted, _) in enumerate(rows):
            wait_held(store, f"a{number}", f"b{number}")
            assert noted.reasons == []
        # The servers have two threads each: one that listens, one for its connection.
        assert threading.active_count() - before - 2 * len(rows) < 10


def test_failures_harm_no_other() -> None:
    """A watch that breaks, one that is silent and one that ends are opened anew, while the others go on."""
    broken = [stream(*whole("a"), event("ADDED", pod("b", 11)), stay=False), stream(added("c", 12))]
    quiet = [stream(*whole("a")), stream(added("b", 11))]
    steady = [stream(*whole("a"), added("b", 11))]
    with following(broken, quiet, steady, read=PATIENCE) as rows:
        wait_held(rows[0][0], "a", "b", "c")
        wait_held(rows[1][0], "a", "b")
        wait_held(rows[2][0], "a", "b")
        assert rows[1][1].silences >= 1 and rows[1][1].reasons == []


def test_states_that_do_not_come() -> None:
    """Servers that never answer occupy the connecting threads; others start, so that the other resources are not delayed."""
    changing = [stream(*whole("a"), stay=False), stream(added("b", 11), stay=False), stream(added("c", 12))]
    with following(*[[silence]] * 4, changing, read=30.0) as rows:
        wait_held(rows[4][0], "a", "b", "c")
        assert [store.replaced for store, _, _ in rows] == [0, 0, 0, 0, 1]


def test_more_than_one_turn() -> None:
    """A watch with more than a turn's bytes is handed over whole."""
    names = [f"n{number}" for number in range(3000)]
    large = [event("ADDED", {**pod(name, 11), "data": "x" * 1000}) for name in names]
    with following([stream(*whole("a"), *large)]) as rows:
        wait_held(rows[0][0], "a", *names)
