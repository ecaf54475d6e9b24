"""Labels of namespaces for the series of their objects."""

from __future__ import annotations

from typing import Any

import pytest

from telegen.config.model import LabelsOnSeries
from telegen.kubestate.series_labels import namespace_pairs, pairs_text
from workers import _namespaces
from workers._namespaces import NamespaceLabels

WITH_TEAM = 'namespace_label_team="a"'


def namespace(name: str, **labels: str) -> tuple[str, dict[str, Any]]:
    """Return the event of a namespace."""
    return "ADDED", {"metadata": {"name": name, "uid": name, "labels": labels}}


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> NamespaceLabels[str]:
    """An empty index that waits for no further changes."""
    monkeypatch.setattr(_namespaces, "SETTLE", 0.0)
    settings = LabelsOnSeries(namespace_labels=("team",))
    return NamespaceLabels(lambda obj: pairs_text(namespace_pairs(settings, obj)), "")


def test_first_state_before_the_objects(index: NamespaceLabels[str]) -> None:
    """A first state that precedes the objects is no change."""
    index.replace([namespace("shop", team="a")])
    assert not index.take_change()
    assert index.get("shop") == WITH_TEAM


def test_first_state_after_the_objects(index: NamespaceLabels[str]) -> None:
    """A first state after objects were rendered without it, as where the right to list namespaces comes late, is a change, once."""
    assert index.get("shop") == ""
    index.replace([namespace("shop", team="a"), namespace("other", team="a")])
    assert index.take_change() and not index.take_change()
    assert index.get("shop") == WITH_TEAM


def test_changes(index: NamespaceLabels[str]) -> None:
    """A changed label, and labels of a namespace whose objects came first, are changes; other labels and new namespaces are none."""
    index.replace([namespace("shop", team="b")])
    index.upsert(namespace("shop", team="b", other="x")[1])
    index.upsert(namespace("new", team="a")[1])
    assert not index.take_change()
    index.upsert(namespace("shop", team="a")[1])
    assert index.take_change() and index.get("shop") == WITH_TEAM
    assert index.get("late") == ""
    index.upsert(namespace("late", team="a")[1])
    assert index.take_change()
