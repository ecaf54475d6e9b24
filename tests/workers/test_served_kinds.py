"""Kinds that count as served between two discoveries."""

from __future__ import annotations

from typing import Any

import pytest

import workers.custom
from telegen.api.discovery import Served, ServedResource
from telegen.kubestate.custom.model import Kind
from telegen.supervisor.inherited import NOTES_BYTES
from workers._custom.definitions import Definitions
from workers.custom import GRACE, ServedKinds, shortened

FOO, BAR = Kind("a", "v1", "foos", "Foo", True), Kind("a", "v1", "bars", "Bar", True)


def served(*kinds: Kind, stale: tuple[tuple[str, str], ...] = ()) -> Served:
    resources = [ServedResource(one.group, one.version, one.plural, one.kind, one.namespaced) for one in kinds]
    return Served(frozenset(resources), frozenset(stale))


def definition(kind: Kind, *versions: str) -> dict[str, Any]:
    names = {"plural": kind.plural, "kind": kind.kind}
    spec = {"group": kind.group, "names": names, "scope": "Namespaced", "versions": [{"name": one, "served": True} for one in versions]}
    return {"metadata": {"name": f"{kind.plural}.{kind.group}", "uid": kind.kind}, "spec": spec}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time of the worker's clock, to be set."""
    now = [100.0]
    monkeypatch.setattr(workers.custom.time, "monotonic", lambda: now[0])
    return now


def test_kind_that_discovery_lacks(clock: list[float]) -> None:
    """A kind without a definition stays for the grace time: a server that starts does not serve all kinds at once."""
    kinds = ServedKinds(Definitions(lambda: None))
    assert kinds.update(served(FOO, BAR)) == {FOO, BAR}
    assert kinds.update(served(BAR)) == {FOO, BAR}
    clock[0] += GRACE + 1
    assert kinds.update(served(BAR)) == {BAR}
    assert kinds.update(served(FOO, BAR)) == {FOO, BAR}


def test_stale_group(clock: list[float]) -> None:
    """Kinds of an aggregated API server that does not answer stay."""
    kinds = ServedKinds(Definitions(lambda: None))
    kinds.update(served(FOO))
    clock[0] += 10 * GRACE
    assert kinds.update(served(stale=(("a", "v1"),))) == {FOO}
    clock[0] += 10 * GRACE
    assert kinds.update(served(stale=(("a", "v1"),))) == {FOO}


def test_deleted_definition() -> None:
    """A kind whose definition is deleted, or no longer serves its version, is gone at once, also while discovery still has it."""
    woken: list[int] = []
    definitions = Definitions(lambda: woken.append(1))
    definitions.replace([("ADDED", definition(FOO, "v1")), ("ADDED", definition(BAR, "v1"))])
    kinds = ServedKinds(definitions)
    assert kinds.update(served(FOO, BAR)) == {FOO, BAR}
    definitions.delete(definition(FOO, "v1"))
    assert kinds.update(served(FOO, BAR)) == {BAR}
    definitions.upsert(definition(BAR, "v2"))
    assert kinds.update(served(BAR)) == set()
    definitions.upsert(definition(FOO, "v1"))
    assert kinds.update(served(FOO)) == {FOO}
    assert len(woken) == 4
    definitions.upsert(definition(FOO, "v1"))
    assert len(woken) == 4, "a change of the status wakes nothing"


def test_notes_fit_into_their_document() -> None:
    """Thousands of entries of any length for kinds that are not served give a few lines and the number of the others."""
    lines = shortened(["é" * 100_000] * 5000, "kinds are not served")
    assert lines[-1] == "customresources: 4950 more kinds are not served"
    assert 3 * len("\n".join(lines).encode()) < NOTES_BYTES
    assert shortened(["a"], "kinds are refused") == ["a"]
