"""Conflicts between entries with expressions, which may be those of several files: names of metrics, selectors and limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Union

from telegen.kubestate.custom.expressions.model import IDENTITY, KIND_LABELS, Metric, MetricEntry, Selector
from telegen.kubestate.custom.expressions.tables import shared_limit
from telegen.kubestate.custom.model import ANY, Family

Named = dict[str, tuple[str, Union[Metric, Family]]]
"""Kind and metric by name."""


def conflicts(entries: Iterable[MetricEntry]) -> list[str]:
    """Return one line per conflict between entries, with the places of both."""
    return Conflicts().take(entries)


class Conflicts:
    """Entries without conflicts: two metrics with one name, two selectors for the objects of one kind, or two limits with one name.
    Metrics by paths may share a name, as in kube-state-metrics, within an entry and among entries without common series."""

    def __init__(self) -> None:
        self._named: Named = {}
        self._selecting = _Selecting()
        self._limited: dict[str, MetricEntry] = {}
        self._by_paths = _ByPaths()

    def take(self, entries: Iterable[MetricEntry]) -> list[str]:
        """Add entries; return one line per conflict among them or with those before. If there is one, none is added.

        PERF: 3 us per metric, however many there are already: each of 200 ConfigMaps is added to all those before.
        """
        found, more = list(entries), Conflicts()
        problems = [line for entry in found for line in self._of_entry(entry, more)]
        if not problems:
            self._named.update(more._named)
            self._limited.update(more._limited)
            self._by_paths.update(more._by_paths)
            for entry in found:
                self._selecting.add(entry)
        return problems

    def _of_entry(self, entry: MetricEntry, more: Conflicts) -> Iterator[str]:
        """Yield the conflicts of an entry with all those before, and add it to `more`."""
        kind = f"{entry.group}/{entry.kind}".removeprefix("/")
        other = self._selecting.other(entry) or more._selecting.other(entry)
        more._selecting.add(entry)
        if other:
            yield f"{entry.place}: {kind} has another selector at {other.place}; give all entries of a kind the same one"
        limit = shared_limit(entry)
        if limit:
            limited = self._limited.get(limit.name) or more._limited.setdefault(limit.name, entry)
            if limited is not entry:
                yield f"{entry.place}: the limit of an entry has the name of its first metric, as that at {limited.place}; write one entry"
        shown: tuple[Union[Metric, Family], ...] = (*entry.metrics, *entry.families)
        for metric in shown:
            first_kind, first = self._named.get(metric.name) or more._named.setdefault(metric.name, (kind, metric))
            if first is not metric and (isinstance(first, Metric) or isinstance(metric, Metric)):
                whose = f"two metrics of {kind} have this name" if first_kind == kind else f"a metric of {first_kind} has this name, too"
                yield f"{metric.place}: {metric.name}: {whose}, the other one at {first.place}; choose another name or prefix"
        yield from self._by_paths.problems(entry)
        yield from more._by_paths.problems(entry)
        more._by_paths.add(entry)


class _ByPaths:
    """Metrics by paths by name, each with its entry."""

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[MetricEntry, Family]]] = {}

    def add(self, entry: MetricEntry) -> None:
        """Add the metrics of an entry."""
        for family in entry.families:
            self._found.setdefault(family.name, []).append((entry, family))

    def update(self, others: _ByPaths) -> None:
        """Add all metrics of others."""
        for name, found in others._found.items():
            self._found.setdefault(name, []).extend(found)

    def problems(self, entry: MetricEntry) -> Iterator[str]:
        """Yield one line per metric of an entry that may have the series of a metric of another entry."""
        for family in entry.families:
            for other, first in self._found.get(family.name, ()):
                if found := _common_series(entry, other):
                    whose, cure = found
                    yield f"{family.place}: {family.name}: {whose}, the other one at {first.place}; {cure}"
                    break


def _common_series(one: MetricEntry, other: MetricEntry) -> tuple[str, str] | None:
    """Return cause and cure if metrics by paths with one name may have equal series in two entries, None if they cannot."""
    kind = f"{other.group}/{other.kind}".removeprefix("/")
    is_common = one.group == other.group and (one.kind == other.kind or ANY in (one.kind, other.kind))
    if is_common and _meet(one, other) and _versions_meet(one, other):
        return f"two metrics of {kind} have this name", "choose another name or prefix"
    if any(KIND_LABELS[0] not in IDENTITY[entry.identity] for entry in (one, other)):
        return f"a metric of {kind} has this name, too", "choose another name or prefix, or write identity: kind at both entries"
    return None


def _versions_meet(one: MetricEntry, other: MetricEntry) -> bool:
    """Return True if two entries for one kind may read one version of it."""
    named = [set(entry.versions) for entry in (one, other) if entry.versions]
    if not named:
        return True
    kind = one.kind if one.kind != ANY else other.kind
    excluded = (*one.excluded, *other.excluded)
    return any(not any(pattern.matches(one.group, version, kind) for pattern in excluded) for version in set.intersection(*named))


class _Selecting:
    """Entries by the objects that they are for. An entry of kind `*` is for those of all kinds of its group."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, dict[Selector, MetricEntry]]] = {}

    def add(self, entry: MetricEntry) -> None:
        """Add an entry."""
        self._found.setdefault(entry.group, {}).setdefault(entry.kind, {}).setdefault(entry.selector, entry)

    def other(self, entry: MetricEntry) -> MetricEntry | None:
        """Return an entry with another selector for a kind of this one, None if there is none."""
        by_kind = self._found.get(entry.group, {})
        kinds = list(by_kind) if entry.kind == ANY else [entry.kind, ANY]
        others = (other for kind in kinds for other in by_kind.get(kind, {}).values())
        return next((other for other in others if other.selector != entry.selector and _meet(entry, other)), None)


def _meet(one: MetricEntry, other: MetricEntry) -> bool:
    """Return True if two entries of a group are for one kind."""
    kinds = {one.kind, other.kind} - {ANY} or {ANY}
    left_out = {kind.kind for kind in (*one.excluded, *other.excluded) if kind.version == ANY}
    return ANY not in left_out and not kinds <= left_out
