"""Groups of the objects in blocks."""

from __future__ import annotations

from telegen.metrics.groups import BlockGroups


def test_groups_that_are_gone_take_no_memory() -> None:
    """Of a thousand namespaces that came and went, as in a CI cluster, only the free slot of the last one is left."""
    groups = BlockGroups(4)
    for number in range(1000):
        slot = groups.take(f"ci-{number}") or 0
        groups.add(slot, f"ci-{number}")
        assert groups.packed()
        groups.remove(slot)
    kept = {name: value for name, value in vars(groups).items() if isinstance(value, dict) and value}
    assert kept == {"_free": {"ci-999": [0]}}
    assert groups.packed() == b""
