"""Last readings of containers, kept for a time after their cgroups are gone: the status of a pod reports an end later."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from telegen.cadvisor.collector import AnyCollector
from telegen.cadvisor.sampler import Target
from telegen.metrics.family import Object

KEEP_SECONDS = 300.0
"""Time for which the readings of an ended container are kept."""
MOST_ENDED = 2000
"""Ended containers whose readings are kept, 0.5 kB each; beyond it the oldest are dropped."""

_READ: Mapping[str, Callable[[Any], dict[str, Optional[int]]]] = {
    "memory": lambda reading: {"working_set": reading.working_set, "peak": reading.max_usage},
    "spec": lambda reading: {"limit": reading.memory.limit},
    "cpu": lambda reading: {"periods": reading.throttling.periods, "throttled": reading.throttling.throttled_periods},
    "oom": lambda reading: {"oom_kills": reading.kills},
}
"""Values to keep, by collector."""


@dataclass
class LastReading:
    """Values of one container; None, or absent, if the agent has not read them.

    Attributes:
        values: `working_set`, `peak`, `limit` in bytes, 0 for no limit; `periods`, `throttled` of the CPU quota; `oom_kills`.
        ended: monotonic time at which its cgroup was found gone, None before.
    """

    container_id: str
    values: dict[str, Optional[int]] = field(default_factory=dict)
    ended: Optional[float] = None

    @property
    def throttled_ratio(self) -> Optional[float]:
        """Fraction of the enforcement periods in which the CPU quota was exhausted; None without a quota."""
        periods, throttled = self.values.get("periods"), self.values.get("throttled")
        return throttled / periods if periods and throttled is not None else None


class LastReadings:
    """Readings of all containers of the node, by container id."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_cgroup: dict[str, LastReading] = {}
        self._by_container: dict[str, LastReading] = {}

    def recorded(self, collector: AnyCollector, target: Target) -> Target:
        """Return the target with a record of its readings, if they have values to keep."""
        read = _READ.get(collector.name)
        return _Recorded(self, read, target) if read else target

    def find(self, container_id: str) -> LastReading | None:
        """Return the last reading of a container; None if it was never read or is forgotten."""
        return self._by_container.get(container_id)

    def has_ended(self, container_id: str) -> bool:
        """Return True unless the cgroup of a container exists."""
        found = self.find(container_id)
        return found is None or found.ended is not None

    def note(self, cgroup: str, container_id: str, values: Mapping[str, Optional[int]]) -> None:
        """Keep values of a container whose cgroup exists."""
        # PERF: 0.6 us for each reading of a container that has changed.
        found = self._by_cgroup.get(cgroup)
        if found is None or found.container_id != container_id:
            found = self._by_cgroup[cgroup] = self._by_container[container_id] = LastReading(container_id)
        found.ended = None
        found.values.update(values)

    def end(self, cgroup: str) -> None:
        """Note that a cgroup is gone."""
        found = self._by_cgroup.get(cgroup)
        if found and found.ended is None:
            found.ended = self._clock()

    def expire(self) -> None:
        """Forget containers that ended long ago."""
        ended = sorted((one.ended, id) for id, one in self._by_cgroup.items() if one.ended is not None)
        before = self._clock() - KEEP_SECONDS
        beyond = max(0, len(ended) - MOST_ENDED)
        for number, (at, id) in enumerate(ended):
            if at <= before or number < beyond:
                forgotten = self._by_cgroup.pop(id)
                if self._by_container.get(forgotten.container_id) is forgotten:
                    del self._by_container[forgotten.container_id]


class _Recorded:
    """Target that keeps the readings of containers."""

    def __init__(self, readings: LastReadings, read: Callable[[Any], dict[str, Optional[int]]], target: Target) -> None:
        self._readings, self._read, self._target = readings, read, target

    def upsert(self, obj: Object) -> None:
        self._target.upsert(obj)
        cgroup = obj["context"].cgroup
        if cgroup.kind == "container":
            self._readings.note(cgroup.id, cgroup.container_id, self._read(obj["reading"]))

    def delete(self, obj: Object) -> None:
        self._target.delete(obj)
        self._readings.end(obj["id"])
