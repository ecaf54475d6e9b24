"""Lists of objects that are kept for some seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from telegen.adapter.cluster_objects import MAX_AGE, KeptObjects, ListingError
from telegen.adapter.rest_mapping import PODS, Mapped

MAPPED = Mapped(PODS, "v1", "Pod", True, "pod")


class Listing:
    """Objects that count their lists; each has one more pod than the one before."""

    def __init__(self) -> None:
        self.lists, self.is_failing = 0, False

    def names(self, mapped: Mapped, namespace: str, labels: str) -> list[str]:
        self.lists += 1
        if self.is_failing:
            raise ListingError("away")
        return [f"p{number}" for number in range(self.lists)]

    def metadata(self, mapped: Mapped, namespace: str, labels: str, fields: str = "") -> Iterator[dict[str, Any]]:
        raise AssertionError("only names are listed")


def test_lists_are_kept() -> None:
    """A selection is listed once in five seconds, another one by itself."""
    now, listing = [0.0], Listing()
    kept = KeptObjects(listing, lambda: now[0])
    assert [kept.names(MAPPED, "shop", "app=web") for _ in range(3)] == [["p0"]] * 3
    assert kept.names(MAPPED, "data", "app=web") == ["p0", "p1"]
    assert kept.names(MAPPED, "shop", "app=api") == ["p0", "p1", "p2"]
    now[0] = MAX_AGE
    assert len(kept.names(MAPPED, "shop", "app=web")) == 4 == listing.lists


def test_errors_are_not_kept() -> None:
    """A list that fails is tried again at once."""
    listing = Listing()
    kept = KeptObjects(listing, lambda: 0.0)
    listing.is_failing = True
    with pytest.raises(ListingError):
        kept.names(MAPPED, "shop", "")
    listing.is_failing = False
    assert kept.names(MAPPED, "shop", "") == ["p0", "p1"]
