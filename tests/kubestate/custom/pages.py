"""Comparison of pages of custom resources. kube-state-metrics may print a series more than once: any of its values is right."""

from __future__ import annotations

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
    """Return a line for each missing, extra or different family or series; empty if the pages are equal."""
    lines = []
    for family in sorted(wanted.keys() | got.keys()):
        if family not in wanted or family not in got:
            lines.append(f"{'extra' if family in got else 'missing'} family {family}")
            continue
        (kind, series), (got_kind, got_series) = wanted[family], got[family]
        if kind != got_kind:
            lines.append(f"{family}: type {got_kind}, wanted {kind}")
        lines += [f"missing {name} {series[name]}" for name in series.keys() - got_series.keys()]
        lines += [f"extra {name} {got_series[name]}" for name in got_series.keys() - series.keys()]
        lines += [
            f"{name}: {got_series[name]}, wanted {values}"
            for name, values in series.items()
            if name in got_series and not got_series[name] <= values
        ]
    return lines
