"""`_created` samples of counters in OpenMetrics.

A sample of the time stands beside the sample of its series, so a column of such a counter cannot serve both formats: it is divided into one
of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from telegen.metrics.family import FamilyGenerator, Object
from telegen.metrics.lines import number_text
from telegen.metrics.render import Render

TOTAL = "_total"


@dataclass(frozen=True)
class _TextOnly(FamilyGenerator):
    """A family that is on pages in text 0.0.4 only."""

    def header(self, openmetrics: bool = False) -> bytes:
        return b"" if openmetrics else super().header()


@dataclass(frozen=True)
class _OpenMetricsOnly(FamilyGenerator):
    """A family that is on pages in OpenMetrics only."""

    def header(self, openmetrics: bool = False) -> bytes:
        return super().header(openmetrics=True) if openmetrics else b""


def with_created(
    families: Sequence[FamilyGenerator], render: Render, created: Callable[[Object], float | None]
) -> tuple[list[FamilyGenerator], Render]:
    """Return the table and the render function with `_created` samples.

    Args:
        render: made from `families`.
        created: reads the Unix time at which the counters of an object began at 0; None if it is not known.
    """
    counters = [family.type == "counter" and family.name.endswith(TOTAL) for family in families]
    table: list[FamilyGenerator] = []
    for family, is_counter in zip(families, counters):
        values = {field.name: getattr(family, field.name) for field in fields(FamilyGenerator)}
        table += [_TextOnly(**values), _OpenMetricsOnly(**values)] if is_counter else [family]
    if not any(counters):
        return table, render

    def render_both(obj: Object) -> list[str]:
        moment, texts = _moment(created, obj), []
        for family, is_counter, text in zip(families, counters, render(obj)):
            texts += [text, _beside(text, family.name, moment)] if is_counter else [text]
        return texts

    return table, render_both


def _moment(created: Callable[[Object], float | None], obj: Object) -> float | None:
    try:
        return created(obj)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
        # A malformed time, or a cgroup that has just ended: the counter is shown without it.
        return None


def _beside(text: str, name: str, moment: float | None) -> str:
    """Add the sample of the time to each line of a counter."""
    if moment is None or not text:
        return text
    beginning, time = name[: -len(TOTAL)] + "_created", number_text(moment)
    # The value is the last field: label values may have blanks, numbers do not.
    return "".join(
        f"{line}\n{beginning}{line[len(name):].rpartition(' ')[0]} {time}\n" for line in text.split("\n") if line
    )
