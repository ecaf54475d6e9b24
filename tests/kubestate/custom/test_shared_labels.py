"""Families that share the labels of one list."""

from __future__ import annotations

from typing import Any

import pytest

from telegen.kubestate.custom.model import Entry, Family, Kind, Pattern
from telegen.kubestate.custom.tables import KEPT, make_resource
from telegen.metrics.render import renderer

KIND = Kind("example.com", "v1", "things", "Thing", True)
PATHS = {"name": ("metadata", "name"), "namespace": ("metadata", "namespace")}


def family(value: str, **more: Any) -> Family:
    """Return a gauge of one field of each item."""
    return Family(value, "", "gauge", ("items",), labels_from_path=PATHS, element_labels={"key": ("key",)}, value_from=(value,), **more)


def pages(families: list[Family], objects: list[dict[str, Any]]) -> list[list[str]]:
    """Return the texts of the families for one object after the other."""
    resource = make_resource(Entry(Pattern("example.com"), tuple(families)), KIND)

    def fail(name: str, error: Exception) -> None:
        raise error

    render = renderer(resource.identity, resource.families, fail)
    return [render(obj) for obj in objects]


@pytest.mark.parametrize("length", [3, KEPT // 100])
def test_shared_labels(length: int) -> None:
    """Families of one list with the same labels, with other labels, and with values that are absent show what each shows alone, for one
    object after the other, also for a list whose labels are not kept."""
    families = [family("a"), family("b"), family("c", common_labels={"key": "x", "team": "y"}), family("d", nil_is_zero=True)]
    objects = [
        {
            "metadata": {"name": f"n{number}", "namespace": "x", "uid": str(number)},
            "items": [{"key": f"k{number}-{one}", "a": one, "c": 1} | ({"b": 7} if one % 2 else {}) for one in range(length)],
        }
        for number in range(3)
    ]
    together = pages(families, objects)
    for column, alone in enumerate(families):
        assert [texts[column] for texts in together] == [text for (text,) in pages([alone], objects)]
    assert [text.count("\n") for text in together[2]] == [length, length // 2, length, length]
    assert 'key="k2-1",name="n2",namespace="x",team="y"} 1\n' in together[2][2]
