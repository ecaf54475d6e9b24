"""Who has just come is shown late, and what has gone meanwhile never."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from telegen.api.contract import Event
from telegen.api.errors import Unreachable
from telegen.metrics.family import Object
from telegen.metrics.store import uid
from workers.latecomers import Latecomers

DELAY = 1.1


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
    """A store behind latecomers, and a clock that only moves by itself when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.store = Kept()
        self.late = Latecomers(self.store, DELAY, lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def after(self, seconds: float) -> dict[str, str]:
        """What is shown after so many seconds."""
        self.now += seconds
        self.late.tend()
        return dict(self.store.forms)


def obj(key: str, form: str = "") -> Object:
    """An object in some form."""
    return {"metadata": {"uid": key}, "form": form}


@pytest.fixture
def scene() -> Scene:
    """With one object, which is shown."""
    made = Scene()
    made.late.replace([("ADDED", obj("old"))])
    return made


def test_new(scene: Scene) -> None:
    """A new object is shown after the delay, as it is by then; the others change at once."""
    scene.late.upsert(obj("new", "first"))
    scene.late.upsert(obj("old", "changed"))
    assert scene.after(1.0) == {"old": "changed"}
    scene.late.upsert(obj("new", "second"))
    assert scene.late.tend() == pytest.approx(0.1)
    assert scene.after(0.2) == {"old": "changed", "new": "second"}
    scene.late.upsert(obj("new", "third"))
    assert scene.store.forms["new"] == "third" and scene.late.tend() is None


def test_in_turn(scene: Scene) -> None:
    """Each waits for its own time."""
    scene.late.upsert(obj("a"))
    scene.after(0.6)
    scene.late.upsert(obj("b"))
    assert set(scene.after(0.6)) == {"old", "a"}
    assert set(scene.after(0.6)) == {"old", "a", "b"}


def test_gone_before(scene: Scene) -> None:
    """What is deleted before its time is never shown; what comes again waits again."""
    scene.late.upsert(obj("new"))
    scene.late.delete(obj("new"))
    assert set(scene.after(2)) == {"old"}
    scene.late.delete(obj("old"))
    scene.late.upsert(obj("old"))
    assert scene.after(1) == {}
    assert set(scene.after(1)) == {"old"}


def test_whole_state(scene: Scene) -> None:
    """A whole state is shown as late as anything that is new in it, and takes the place of what waited."""
    scene.late.upsert(obj("gone"))
    began = scene.now
    scene.late.replace([("ADDED", obj("a")), ("ADDED", obj("b")), ("DELETED", obj("b"))])
    assert scene.now - began == pytest.approx(DELAY)
    assert set(scene.after(5)) == {"a"}
    scene.late.upsert(obj("b"))
    assert set(scene.after(1)) == {"a"}


def test_broken_state(scene: Scene) -> None:
    """A whole state that breaks off changes nothing: what waited is shown when it is due."""

    def broken() -> Iterator[Event]:
        yield "ADDED", obj("half")
        scene.now += 10
        assert scene.late.tend() is None and set(scene.store.forms) == {"old"}
        raise Unreachable("the connection has ended")

    scene.late.upsert(obj("new"))
    with pytest.raises(Unreachable):
        scene.late.replace(broken())
    assert set(scene.after(0)) == {"old", "new"}


def test_bookmark(scene: Scene) -> None:
    """Bookmarks are the store's."""
    scene.late.bookmark("17")
    assert scene.store.version == "17"
