"""Lists of objects that are kept for some seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from telegen.adapter.cluster_objects import MAX_AGE, MOST_KEPT, KeptObjects, ListingError
from telegen.adapter.rest_mapping import PODS, Mapped

MAPPED = Mapped(PODS, "v1", "Pod", True, "pod")


class Listing:
    """Objects that counts its lists; each has one more pod than the one before."""

    def __init__(self) -> None:
        self.lists, self.is_failing = list[tuple[str, str, str]](), False

    def names(self, mapped: Mapped, namespace: str, labels: str) -> list[str]:
        raise AssertionError("only metadata is listed")

    def metadata(self, mapped: Mapped, namespace: str, labels: str, fields: str = "") -> Iterator[dict[str, Any]]:
        self.lists.append((namespace, labels, fields))
        if self.is_failing:
            raise ListingError("away")
        yield from ({"name": f"p{number}", "labels": {"a": "b"}, "managedFields": []} for number in range(len(self.lists)))


def test_lists_are_kept() -> None:
    """A selection is listed once in five seconds, another one by itself."""
    now, listing = [0.0], Listing()
    kept = KeptObjects(listing, lambda: now[0])
    assert [kept.names(MAPPED, "shop", "app=web") for _ in range(3)] == [["p0"]] * 3
    assert list(kept.metadata(MAPPED, "shop", "app=web")) == [{"name": "p0", "labels": {"a": "b"}}]
    assert kept.names(MAPPED, "data", "app=web") == ["p0", "p1"]
    now[0] = MAX_AGE
    assert kept.names(MAPPED, "shop", "app=web") == ["p0", "p1", "p2"] and len(listing.lists) == 3


def test_errors_and_large_lists_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that fails is tried again at once, and lists beyond the bound are answered and not kept."""
    listing = Listing()
    kept = KeptObjects(listing, lambda: 0.0)
    listing.is_failing = True
    with pytest.raises(ListingError):
        kept.names(MAPPED, "shop", "")
    listing.is_failing = False
    assert kept.names(MAPPED, "shop", "") == ["p0", "p1"]
    monkeypatch.setattr("telegen.adapter.cluster_objects.MOST_KEPT", 4)
    assert MOST_KEPT > 4 and [len(kept.names(MAPPED, "data", "")) for _ in range(2)] == [3, 4]
    assert kept.names(MAPPED, "shop", "") == ["p0", "p1"]
