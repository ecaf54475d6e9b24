"""Composer: turns what the arenas hold into the next push, and finds the series that have vanished since the one before."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from telegen.otlp.columns import Cell, EncodedColumn, Family, encode_column, new_cells, series_in, vanished
from telegen.otlp.requests import Metric, Naming, Origin, Push
from telegen.shm.layout import FamilyEntry
from telegen.shm.reader import TRIES, ArenaReader, Snapshot, TornSnapshot

log = logging.getLogger("telegen.push")

MOST_OWED = 100_000
"""Ended series of pushes that were not sent, which the next push ends: 20 MB. Receivers end the others when no point has come for a
while, after five minutes in Prometheus."""

ColumnKey = tuple[str, str]
"""(store, family)."""
Columns = Mapping[ColumnKey, EncodedColumn]
StoreFilter = Callable[[str, str], bool]
"""Predicate by (arena, store) of the stores that may be pushed."""
SharedAttributes = Callable[[str], bytes]
"""From the name of a family to the encoded attributes that all of its points share."""


@dataclass(frozen=True)
class Source:
    """An arena, and the origin of its series."""

    reader: ArenaReader
    origin: Origin


@dataclass
class _Collected:
    """Columns of one origin that a push has so far.

    Attributes:
        metrics: by family.
        columns, fresh: number of the columns of a family, and the cells that the push before lacks.
    """

    origin: Origin
    metrics: dict[str, Metric] = field(default_factory=dict)
    columns: Counter[str] = field(default_factory=Counter)
    fresh: dict[str, list[Cell]] = field(default_factory=lambda: defaultdict(list))

    def add(self, metric: Metric, before: EncodedColumn, after: EncodedColumn) -> None:
        """Add a column as the push before had it, and as it is."""
        family = metric.family.name
        metric.cells += after.cells.values()
        metric.gone += vanished(before, after, metric.family)
        self.columns[family] += 1
        self.fresh[family] += new_cells(before, after)

    def keep_moved(self) -> None:
        """Leave series that have moved to another column of their family out of those that end, as when a store gets another name."""
        for family, number in self.columns.items():
            metric = self.metrics[family]
            if number > 1 and metric.gone:
                metric.gone = list(set(metric.gone) - series_in(self.fresh[family], metric.family))


class Composer:
    """Keeps the encoded cells of all sources."""

    def __init__(
        self,
        sources: Sequence[Source],
        naming: Naming,
        shared_attributes: SharedAttributes,
        beat: Callable[[], None] = lambda: None,
        stores: Callable[[], StoreFilter] = lambda: lambda arena, store: True,
    ) -> None:
        """Prepare.

        Args:
            stores: called for each push; returns the filter of the stores in it.
            beat: called often: the first push of a large cluster takes seconds.
        """
        self._sources, self._naming, self._shared_attributes, self._beat = sources, naming, shared_attributes, beat
        self._stores, self._is_shown = stores, stores()
        self._columns: dict[str, Columns] = {}
        self._families: dict[str, tuple[FamilyEntry, Family]] = {}
        self._owed: dict[tuple[int, str], set[bytes]] = defaultdict(set)

    def compose(self, time: int) -> Push:
        """Return the push of this moment.

        Args:
            time: Unix time in nanoseconds.
        """
        parts: dict[int, _Collected] = {}
        self._is_shown = self._stores()
        for source in self._sources:
            if not source.origin.is_served():
                # The next holder of the shard goes on with these series, so they do not end here.
                self._columns.pop(source.reader.name, None)
                continue
            before = self._columns.get(source.reader.name, {})
            after = self._columns[source.reader.name] = self._read(source.reader, before)
            source.reader.release()
            collected = parts.setdefault(id(source.origin), _Collected(source.origin))
            for key in (*after, *(key for key in before if key not in after)):
                metric = self._metric(collected.metrics, key[1])
                collected.add(metric, before.get(key, EncodedColumn()), after.get(key, EncodedColumn()))
        for collected in parts.values():
            collected.keep_moved()
        self._naming.forget()
        self._pay(parts)
        part = self._naming.part
        return Push(time, [part(one.origin, [metric for metric in one.metrics.values() if len(metric)]) for one in parts.values()])

    def end(self, time: int, ends: Callable[[Origin], bool]) -> Push:
        """Return a push that ends all series of some origins.

        Args:
            ends: True for an origin whose series no other agent goes on with.
        """
        parts: dict[int, tuple[Origin, dict[str, Metric]]] = {}
        for source in self._sources:
            if source.origin.is_served() and ends(source.origin):
                _, metrics = parts.setdefault(id(source.origin), (source.origin, {}))
                for (_, family), column in self._columns.get(source.reader.name, {}).items():
                    metric = self._metric(metrics, family)
                    metric.cells += column.cells.values()
                    metric.ended = True
        return Push(time, [self._naming.part(origin, list(metrics.values())) for origin, metrics in parts.values()])

    def owe(self, push: Push) -> None:
        """Note that a push was not sent: the series that end in it end in the next one, MOST_OWED at most."""
        left = MOST_OWED - sum(map(len, self._owed.values()))
        for part in push.parts:
            for metric in part.metrics:
                if some := metric.gone[: max(0, left)]:
                    self._owed[id(part.origin), metric.family.name].update(some)
                    left -= len(some)

    def _pay(self, parts: Mapping[int, _Collected]) -> None:
        """End the series of pushes that were not sent, unless they are back."""
        owed, self._owed = self._owed, defaultdict(set)
        for (origin, family), series in owed.items():
            if origin in parts:
                metric = self._metric(parts[origin].metrics, family)
                metric.gone = list((series | set(metric.gone)) - series_in(metric.cells, metric.family))

    def _metric(self, metrics: dict[str, Metric], family: str) -> Metric:
        """Return the metric of a family, which several stores may have."""
        known = metrics.get(family)
        if known is None:
            known = metrics[family] = Metric(self._families[family][1])
        return known

    def _read(self, reader: ArenaReader, before: Columns) -> Columns:
        """Read all stores of an arena; keep what was read before if they change faster than they can be copied."""
        # Columns of a try that failed count for the next one: the first push of a large cluster takes longer than the writer waits.
        done = dict(before)
        for _ in range(TRIES):
            try:
                snapshot = reader.load()
                return self._encode(reader, snapshot, done) if snapshot else {}
            except TornSnapshot:
                continue
        log.warning("%s: pages change faster than they can be copied; the push repeats the last values", reader.name)
        return before

    def _encode(self, reader: ArenaReader, snapshot: Snapshot, done: dict[ColumnKey, EncodedColumn]) -> Columns:
        """Return the columns of all stores, in the order of the page.

        Args:
            done: columns encoded earlier; new ones are added.

        Raises:
            TornSnapshot: the writer has reclaimed a cell of the snapshot.
        """
        found = {}
        for name, store in sorted(snapshot.stores.items(), key=lambda item: (item[1].entry.order, item[0])):
            is_shown = not store.entry.is_old and self._is_shown(reader.name, name)
            # A column without a header in text repeats another one, with the creation times of OpenMetrics.
            created = {family.name: column for family, column in zip(store.families, store.columns) if not family.text}
            for family, text_column in zip(store.families, store.columns) if is_shown else ():
                column = created.get(family.name, text_column)
                if column.length and family.text:
                    key = name, family.name
                    known = done.get(key, EncodedColumn())
                    done[key] = encode_column(known, reader, snapshot.sequence, column, self._family(family))
                    found[key] = done[key]
                    self._beat()
        return found

    def _family(self, entry: FamilyEntry) -> Family:
        """Return the encoder of a family, made once; an entry changes only with the configuration."""
        known = self._families.get(entry.name)
        # Each arena has its own copy of the entry: several have one family where pods are in several processes or clusters.
        if known is None or known[0] != entry:
            known = self._families[entry.name] = entry, self._naming.family(entry, self._shared_attributes(entry.name))
        return known[1]
