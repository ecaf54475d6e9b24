"""Readings of the sampler's collectors as points of cgroups, one per pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Optional

from telegen.cadvisor.cgroups.classification import Kind
from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.collector import AnyCollector
from telegen.cadvisor.registry import NAMES, collectors_of
from telegen.cadvisor.sampler import Target
from telegen.cadvisor.usage.columns import CONTAINER, NETWORK, NODE, POD, REQUIRED, Column, Raw
from telegen.cadvisor.usage.rates import Point, Track, Usage
from telegen.metrics.family import Object

START = "start"
"""Name of the collector of start times."""
_READ: Mapping[Kind, Sequence[Column]] = {"container": (*CONTAINER, *NETWORK), "pod": POD, "root": NODE}
"""Columns that are read of each kind of cgroup. The network of a pod may be shown on its sandbox, which is a container."""
_OWN: Mapping[Kind, Sequence[Column]] = {"container": CONTAINER, "pod": POD, "root": NODE}
"""Columns of each kind's own usage."""


def missing_collectors(enabled: Iterable[AnyCollector]) -> list[AnyCollector]:
    """Return the collectors that usage needs and the settings of series do not enable."""
    names = {START, *(column.collector for columns in _READ.values() for column in columns)}
    names -= {collector.name for collector in enabled}
    return [collector for collector in collectors_of(NAMES) if collector.name in names]


class Recorder:
    """Last readings, and the tracks of all cgroups."""

    def __init__(self, interval: float) -> None:
        """Start without readings.

        Args:
            interval: seconds between two passes.
        """
        self._interval = interval
        self._numbers: dict[str, dict[str, Raw]] = {}
        self._starts: dict[str, Optional[float]] = {}
        self._tracks: dict[str, Track] = {}

    def recorded(self, collector: AnyCollector, target: Optional[Target]) -> Target:
        """Return a target that records a collector's readings and passes them on.

        Args:
            target: None for a collector without series.
        """
        return _Recorded(self, collector.name, target)

    def take(self, collector: str, obj: Object) -> None:
        """Record a reading."""
        context: Context = obj["context"]
        if collector == START:
            # Both are Unix times by one reading of the clock, so that the difference is exact for processes.
            boot = context.node.boot_time
            self._starts[obj["id"]] = obj["reading"].start - boot if boot else None
            return
        numbers = self._numbers.setdefault(obj["id"], {})
        for column in _READ.get(context.cgroup.kind, ()):
            if column.collector == collector:
                numbers[column.name] = column.read(obj["reading"])

    def drop(self, collector: str, id: str) -> None:
        """Forget the reading of a cgroup."""
        if collector == START:
            self._starts.pop(id, None)
            return
        numbers = self._numbers.get(id, {})
        for column in (*CONTAINER, *POD):
            if column.collector == collector:
                numbers.pop(column.name, None)
        if not numbers:
            self._numbers.pop(id, None)

    def usage(self, context: Context) -> Optional[Usage]:
        """Return the usage of a cgroup; None for none."""
        track = self._tracks.get(context.cgroup.id)
        return track.usage if track else None

    def start(self, context: Context) -> float:
        """Return the start of a cgroup in seconds since the boot; 0 if it is unknown."""
        return self._starts.get(context.cgroup.id) or 0.0

    def end_pass(self, contexts: Collection[Context]) -> None:
        """Add the readings of a pass to the tracks of its cgroups, and forget those of ended ones."""
        # PERF: 10 us for each container.
        networks: dict[str, dict[str, Raw]] = defaultdict(dict)
        for context in contexts:
            cgroup = context.cgroup
            if cgroup.kind == "container" and cgroup.pod_uid and context.node.facts.is_sandbox(cgroup):
                networks[cgroup.pod_uid] = self._numbers.get(cgroup.id, {})
        before, self._tracks = self._tracks, {}
        for context in contexts:
            cgroup = context.cgroup
            # A cgroup that has ended during the pass may keep its last readings, which would be a rate of 0.
            if not context.exists or (cgroup.kind != "root" and not cgroup.pod_uid):
                continue
            track = self._tracks[cgroup.id] = before.get(cgroup.id) or Track()
            numbers: Mapping[str, Raw] = self._numbers.get(cgroup.id, {})
            if cgroup.kind == "pod":
                numbers = _with_network(numbers, networks[cgroup.pod_uid], context.node.facts.host_network(cgroup))
            self._add(track, context, numbers)

    def _add(self, track: Track, context: Context, numbers: Mapping[str, Raw]) -> None:
        kind = context.cgroup.kind
        columns = _OWN.get(kind, ())
        start = self._starts.get(context.cgroup.id) if kind == "container" else None
        point = Point(context.read_at, start, [numbers.get(column.name) for column in columns])
        track.add(columns, point, self._interval, 0 if kind == "pod" else REQUIRED)


class _Recorded:
    """Target of a collector that records its readings."""

    def __init__(self, recorder: Recorder, collector: str, target: Optional[Target]) -> None:
        self._recorder, self._collector, self._target = recorder, collector, target

    def upsert(self, obj: Object) -> None:
        self._recorder.take(self._collector, obj)
        if self._target:
            self._target.upsert(obj)

    def delete(self, obj: Object) -> None:
        self._recorder.drop(self._collector, obj["id"])
        if self._target:
            self._target.delete(obj)


def _with_network(numbers: Mapping[str, Raw], sandbox: Mapping[str, Raw], is_host: bool) -> Mapping[str, Raw]:
    """Return the readings of a pod with those of its network; without them if it uses the node's."""
    if is_host:
        return {name: number for name, number in numbers.items() if name not in _NETWORK_NAMES}
    return {**sandbox, **numbers}


_NETWORK_NAMES = frozenset(column.name for column in NETWORK)
