"""Who has just come is shown late, and what has gone meanwhile never."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from telegen.api.errors import Unreachable
from telegen.api.protocols import Event
from telegen.metrics.family import Object
from telegen.metrics.store import uid
from workers.latecomers import Latecomers

DELAY = 5.0
NOW = 1_800_000_000
"""What time it is by the API server's clock."""


class Kept:
    """A store that keeps the last form of every object."""

    def __init__(self) -> None:
        self.forms: dict[str, str] = {}
        self.version = ""

    def replace(self, events: Iterable[Event]) -> None:
        """Take what is there."""
        forms: dict[str, str] = {}
        for kind, obj in events:
            forms[uid(obj)] = obj["form"]
            if kind == "DELETED":
                del forms[uid(obj)]
        self.forms = forms

    def upsert(self, obj: Object) -> None:
        """Add or update."""
        self.forms[uid(obj)] = obj["form"]

    def delete(self, obj: Object) -> None:
        """Remove what may not be there."""
        self.forms.pop(uid(obj), None)

    def bookmark(self, resource_version: str) -> None:
        """Note it."""
        self.version = resource_version


class Scene:
    """A store behind latecomers, our clock and the API server's, which only move when they are told to or somebody sleeps."""

    def __init__(self, succeeds: bool = False) -> None:
        self.now = 100.0
        self.date: float | None = NOW
        self.store = Kept()
        self.late = Latecomers(self.store, lambda: self.date, succeeds, DELAY, lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def after(self, seconds: float) -> dict[str, str]:
        """What is shown after so many seconds."""
        self.now += seconds
        self.late.tend()
        return dict(self.store.forms)


def made(key: str, form: str = "") -> Object:
    """A pod that was made with its node, in some form."""
    return {"metadata": {"uid": key}, "form": form, "status": {"conditions": [{"type": "Ready"}]}}


def pod(key: str, form: str = "", ago: int = 0) -> Object:
    """A pod that got its node so many seconds ago by the API server's clock, in some form."""
    bound = datetime.fromtimestamp(NOW - ago, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**made(key, form), "status": {"conditions": [{"type": "PodScheduled", "lastTransitionTime": bound}]}}


@pytest.fixture
def scene() -> Scene:
    """With one pod, which is shown."""
    scene = Scene()
    scene.late.replace([("ADDED", made("old"))])
    return scene


def test_new(scene: Scene) -> None:
    """A new pod is shown after the delay, as it is by then; the others change at once."""
    scene.late.upsert(pod("new", "first"))
    scene.late.upsert(pod("old", "changed"))
    assert scene.after(4.9) == {"old": "changed"}
    scene.late.upsert(pod("new", "second"))
    assert scene.late.tend() == pytest.approx(0.1)
    assert scene.after(0.2) == {"old": "changed", "new": "second"}
    scene.late.upsert(pod("new", "third"))
    assert scene.store.forms["new"] == "third" and scene.late.tend() is None


def test_in_turn(scene: Scene) -> None:
    """Each waits for its own time."""
    scene.late.upsert(pod("a"))
    scene.after(3)
    scene.late.upsert(pod("b"))
    assert set(scene.after(2.1)) == {"old", "a"}
    assert set(scene.after(3)) == {"old", "a", "b"}


def test_made_with_its_node(scene: Scene) -> None:
    """A pod that never waited for its node is shown at once; one that is held back goes on waiting, whatever it becomes."""
    scene.late.upsert(made("static", "first"))
    scene.late.upsert(pod("static", "second"))
    scene.late.upsert(pod("new"))
    scene.late.upsert(made("new"))
    assert scene.after(1) == {"old": "", "static": "second"}


def test_gone_before(scene: Scene) -> None:
    """What is deleted before its time is never shown; what comes again waits again."""
    scene.late.upsert(pod("new"))
    scene.late.delete(pod("new"))
    assert set(scene.after(6)) == {"old"}
    scene.late.delete(pod("old"))
    scene.late.upsert(pod("old"))
    assert scene.after(4) == {}
    assert set(scene.after(2)) == {"old"}


def test_whole_state(scene: Scene) -> None:
    """Of a whole state is shown at once what was shown before, what has had its node for more than a minute, and what never waited; the
    rest later."""
    scene.late.upsert(pod("gone"))
    state = [made("static"), pod("old"), pod("young", ago=59), pod("settled", ago=61), pod("removed", ago=61)]
    scene.late.replace([*(("ADDED", one) for one in state), ("DELETED", pod("removed"))])
    assert set(scene.after(4.9)) == {"static", "old", "settled"}
    assert set(scene.after(0.2)) == {"static", "old", "settled", "young"}
    scene.late.upsert(pod("gone"))
    assert "gone" not in scene.after(1)


def test_whole_state_while_some_wait(scene: Scene) -> None:
    """What waited already does not wait anew, though it stands behind what is new; what is deleted within the state is never shown."""
    scene.late.upsert(pod("waits"))
    scene.after(3)
    state = [("ADDED", pod("new")), ("ADDED", pod("never")), ("ADDED", pod("waits", "newer")), ("DELETED", pod("never"))]
    scene.late.replace(state)
    assert scene.late.tend() == pytest.approx(2)
    assert scene.after(2.1) == {"waits": "newer"}
    assert set(scene.after(3)) == {"waits", "new"}


def test_first_state_after_a_process_that_has_ended() -> None:
    """What that one showed is served on meanwhile. So its pods stay, old or young: all are taken together, as late as the youngest may be;
    at once where all are old, and the next state as ever."""
    scene = Scene(succeeds=True)
    scene.late.replace([("ADDED", pod("settled", ago=61)), ("ADDED", pod("young", ago=20))])
    assert scene.now == 100 + DELAY and set(scene.store.forms) == {"settled", "young"}
    scene.late.replace([("ADDED", pod("settled")), ("ADDED", pod("young")), ("ADDED", pod("new"))])
    assert scene.now == 100 + DELAY and set(scene.store.forms) == {"settled", "young"}
    scene = Scene(succeeds=True)
    scene.late.replace([("ADDED", pod("settled", ago=61))])
    assert scene.now == 100 and set(scene.store.forms) == {"settled"}


@pytest.mark.parametrize("time", [None, "", "yesterday", 5])
def test_unknown_times(scene: Scene, time: Any) -> None:
    """Where the server does not say what time it is, or a pod not when it got its node, it counts as new."""
    odd = made("odd")
    odd["status"]["conditions"].append({"type": "PodScheduled", "lastTransitionTime": time})
    scene.late.replace([("ADDED", odd)])
    assert scene.after(4) == {} and set(scene.after(2)) == {"odd"}
    scene.date = None
    scene.late.replace([("ADDED", pod("ancient", ago=9999))])
    assert scene.after(4) == {} and set(scene.after(2)) == {"ancient"}


def test_odd_conditions(scene: Scene) -> None:
    """Conditions that are none hold a pod back, and nothing breaks."""
    for number, conditions in enumerate([["x"], [{}], 7]):
        scene.late.upsert({**made(str(number)), "status": {"conditions": conditions}})
    assert set(scene.after(4)) == {"old"} and set(scene.after(2)) == {"old", "0", "1", "2"}


def test_broken_state(scene: Scene) -> None:
    """A whole state that breaks off changes nothing: what waited is shown when it is due."""

    def broken() -> Iterator[Event]:
        yield "ADDED", made("half")
        scene.now += 10
        assert scene.late.tend() is None and set(scene.store.forms) == {"old"}
        raise Unreachable("the connection has ended")

    scene.late.upsert(pod("new"))
    with pytest.raises(Unreachable):
        scene.late.replace(broken())
    assert set(scene.after(0)) == {"old", "new"}


def test_bookmark(scene: Scene) -> None:
    """Bookmarks are the store's."""
    scene.late.bookmark("17")
    assert scene.store.version == "17"
