"""Configurations of custom resources in ConfigMaps: read, joined with those of the settings, and kept while a new version is bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

import msgspec

from telegen.config.custom_resources import MAX_BYTES, MAX_FILES
from telegen.config.errors import ConfigError
from telegen.kubestate.custom.expressions.conflicts import Conflicts
from telegen.kubestate.custom.sources import ENDINGS, CustomEntries, CustomTables, read_custom, read_together

Data = Mapping[str, str]
"""Text of each file of a ConfigMap."""


def read_data(data: Data, source: str) -> CustomEntries:
    """Read the configurations of a ConfigMap, of either format.

    Args:
        source: name of the ConfigMap, for messages.

    Raises:
        ConfigError: one line per problem, with ConfigMap, file, line, path, cause and cure.
    """
    files = {name: text for name, text in sorted(data.items()) if name.endswith(ENDINGS)}
    if not files:
        raise ConfigError(f"{source}: no configuration in data; add a key that ends in {', '.join(ENDINGS)}")
    return read_together(
        partial(read_custom, text.encode("utf-8", "surrogatepass"), f"{source}/{name}") for name, text in files.items()
    )


class ConfigMapEntries:
    """The entries of all ConfigMaps. A bad version leaves the entries of the last good one.

    Attributes:
        problems: lines about the present version, by the name of a ConfigMap.
        warnings: the same for what has no effect.
    """

    def __init__(self) -> None:
        self._read: dict[str, _Version] = {}
        self._good: dict[str, CustomEntries] = {}
        self.problems: dict[str, str] = {}
        self.warnings: dict[str, str] = {}

    def join(self, tables: CustomTables, maps: Mapping[str, Data]) -> CustomTables:
        """Return tables with the entries of ConfigMaps after their own.

        Args:
            maps: data of each ConfigMap by `NAMESPACE/NAME`; of two in conflict the first one counts.
        """
        problems, warnings = self._parse(maps)
        good: dict[str, CustomEntries] = {}
        shown, taken = tables, Conflicts()
        taken.take(tables.metrics)
        for name in maps:
            for entries in self._versions(name):
                found = taken.take(entries.metrics)
                if found:
                    problems.setdefault(name, "\n".join(found))
                    continue
                lines = [warnings[name]] if name in warnings else []
                lines += [f"ConfigMap {name}: {line}" for line in _without_effect(shown, entries)]
                warnings |= {name: "\n".join(lines)} if lines else {}
                shown, good[name] = _added(shown, entries), entries
                break
        # At once: another thread reads them meanwhile.
        self._good, self.problems, self.warnings = good, problems, warnings
        return shown

    def _parse(self, maps: Mapping[str, Data]) -> tuple[dict[str, str], dict[str, str]]:
        """Read the ConfigMaps that have changed, within the bounds; return problems and warnings by their names."""
        read: dict[str, _Version] = {}
        problems: dict[str, str] = {}
        warnings: dict[str, str] = {}
        size = 0
        for name, data in maps.items():
            size += sum(map(len, data.values()))
            if len(read) >= MAX_FILES or size > MAX_BYTES:
                limit = f"at most {MAX_FILES} ConfigMaps with {MAX_BYTES >> 20} MiB together are read; remove some"
                problems[name] = f"ConfigMap {name}: left out: {limit}"
                continue
            known = self._read.get(name)
            version = read[name] = known if known and known.data == data else _version(name, data)
            if version.problems:
                problems[name] = version.problems
            if version.entries and version.entries.warnings:
                warnings[name] = "\n".join(version.entries.warnings)
        self._read = read
        return problems, warnings

    def _versions(self, name: str) -> Iterator[CustomEntries]:
        """Yield the entries of the present version of a ConfigMap, and those of its last good one."""
        present = self._read.get(name)
        if present and present.entries:
            yield present.entries
        if name in self._good:
            yield self._good[name]


class _Version(NamedTuple):
    """A version of a ConfigMap: its entries, or its problems."""

    data: Data
    entries: CustomEntries | None
    problems: str


def _version(name: str, data: Data) -> _Version:
    try:
        return _Version(data, read_data(data, f"ConfigMap {name}"), "")
    except ConfigError as error:
        return _Version(data, None, str(error))


def _added(tables: CustomTables, entries: CustomEntries) -> CustomTables:
    """Return tables with the entries of a ConfigMap. Of entries of the format of kube-state-metrics for one kind the last one counts,
    hence they stand before those of the settings and of older ConfigMaps."""
    return msgspec.structs.replace(
        tables, entries=(*entries.entries, *tables.entries), metrics=(*tables.metrics, *entries.metrics)
    )


def _without_effect(tables: CustomTables, entries: CustomEntries) -> Iterator[str]:
    """Yield a line for each kind of which the tables have an entry of the format of kube-state-metrics already."""
    taken = {entry.pattern for entry in tables.entries}
    for pattern in dict.fromkeys(entry.pattern for entry in entries.entries if entry.pattern in taken):
        yield f"the entry for {pattern} has no effect beside that of the settings or of an older ConfigMap; remove it"
