"""Document of the naming `semconv`: `python -m telegen.otlp.reference > docs/semconv.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby

from telegen.cadvisor.registry import NAMES, collectors_of
from telegen.cadvisor.terminations import counts as terminations
from telegen.kubestate.registry import RESOURCES
from telegen.otlp.conventions import conventions_of

INSTRUMENTS = {None: "Gauge", True: "Counter", False: "UpDownCounter"}


def all_families() -> list[str]:
    """Return the names of all families, sorted."""
    state = {family.name for resource in RESOURCES.values() for family in resource.families}
    containers = {family.name for collector in collectors_of(NAMES) for family in collector.families}
    return sorted(state | containers | {family.name for family in terminations.FAMILIES})


def reference() -> str:
    """Return the document."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    names = all_families()
    kept = [name for name in names if not conventions_of(name)]
    yield from ("# Names with `streaming.naming: semconv`", "")
    yield from ("Made by `python -m telegen.otlp.reference`. [push.md](push.md) has the rules.", "")
    yield from (f"## {len(names) - len(kept)} families with a convention", "")
    yield from ("| family | metric | unit | instrument |", "|---|---|---|---|")
    for name in names:
        # Several conventions of a family may be one metric.
        for metric, unit, monotonic in dict.fromkeys((one.name, one.unit, one.monotonic) for one in conventions_of(name)):
            yield f"| `{name}` | `{metric}` | `{unit}` | {INSTRUMENTS[monotonic]} |"
    yield from ("", f"## {len(kept)} families that keep the name of the page", "")
    yield "So do those of custom resources."
    for prefix, some in groupby(kept, lambda name: "_".join(name.removeprefix("telegen_").split("_")[:2])):
        yield from ("", f"{prefix}: " + ", ".join(f"`{name}`" for name in some))


if __name__ == "__main__":
    sys.stdout.write(reference())
