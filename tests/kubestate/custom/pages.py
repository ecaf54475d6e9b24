"""Comparison of pages of custom resources. kube-state-metrics may print a series more than once: any of its values is right."""

from __future__ import annotations

from tests.kubestate import parity

Values = set[str]
Page = dict[str, tuple[str, dict[str, Values]]]


def parse(text: str) -> Page:
    """Return family name → (type, {series as written: its values}). Lines end at \\n only."""
    page: Page = {}
    for line in text.split("\n"):
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            page.setdefault(family, (kind, {}))
        elif line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            page[series.partition("{")[0]][1].setdefault(series, set()).add(repr(float(value)))
    return page


def parse_openmetrics(text: str) -> Page:
    """Return the families that have samples, named after these: the head of an info lacks `_info`, but not on pages of
    kube-state-metrics. An info beside a family of this shorter name is a gauge."""
    lines = text.removesuffix("# EOF\n").split("\n")
    kinds = {words[2]: words[3] for line in lines if (words := line.split(" "))[:2] == ["#", "TYPE"]}
    page: Page = {}
    for line in lines:
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name = series.partition("{")[0]
            short = name.removesuffix("_info")
            kind = kinds[short] if name not in kinds else "gauge" if short != name and short in kinds else kinds[name]
            page.setdefault(name, (kind, {}))[1].setdefault(series, set()).add(repr(float(value)))
    return page


def difference(wanted: Page, got: Page) -> list[str]:
    """Return a line for each missing, extra or different family or series; a repeated series may have any of its values."""
    return parity.difference(wanted, got, lambda values, shown: shown <= values)
