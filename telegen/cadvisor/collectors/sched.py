"""Run time and run queue latency of threads (/proc/PID/task/TID/schedstat,
https://docs.kernel.org/scheduler/sched-stats.html).

Opt-in: one file per thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import ENDED, Context, PerCgroup
from telegen.cadvisor.collector import CONTAINERS, Collector, Families, already_parsed


class Times(NamedTuple):
    """Nanoseconds run, nanoseconds in the run queue, and number of time slices."""

    run: int = 0
    waited: int = 0
    slices: int = 0

    def plus(self, other: Times) -> Times:
        return Times(self.run + other.run, self.waited + other.waited, self.slices + other.slices)


@dataclass
class _State:
    """Counters of the threads of the last pass, and the sum of all threads that have ended."""

    ended: Times = Times()
    threads: dict[str, Times] = field(default_factory=dict)


_state = PerCgroup(lambda context: _State())

family = Families(Times)

FAMILIES = (
    family.counter(
        "container_cpu_schedstat_run_seconds_total",
        "Time that threads ran, in seconds (/proc/PID/schedstat).",
        lambda reading: reading.run / 1e9,
    ),
    family.counter(
        "container_cpu_schedstat_runqueue_seconds_total",
        "Time that runnable threads waited for a CPU, in seconds (/proc/PID/schedstat).",
        lambda reading: reading.waited / 1e9,
    ),
    family.counter(
        "container_cpu_schedstat_run_periods_total",
        "Time slices that threads ran (/proc/PID/schedstat).",
        lambda reading: reading.slices,
    ),
)


def read(context: Context) -> Optional[Times]:
    """Sum the counters of all threads, including those that have ended since the cgroup was found."""
    state = _state(context)
    threads: dict[str, Times] = {}
    for path in _threads(context):
        times = _times(path)
        if times:
            threads[path] = times
    # The kernel drops a thread's counters when it ends. They are kept in state.ended, so that the sum never decreases.
    for path, times in state.threads.items():
        # A run time below the last one belongs to another thread with the same id.
        if path not in threads or threads[path].run < times.run:
            state.ended = state.ended.plus(times)
    state.threads = threads
    if not threads and state.ended == Times():
        return None
    total = state.ended
    for times in threads.values():
        total = total.plus(times)
    return total


COLLECTOR = Collector("sched", "sched", FAMILIES, read, already_parsed, CONTAINERS, opt_in=True)


def _threads(context: Context) -> Iterator[str]:
    """Path of each thread's schedstat; the one of /proc/PID covers the first thread only."""
    for pid in context.pids():
        folder = f"{context.node.roots.proc}/{pid}/task"
        try:
            names = os.listdir(folder)
        except OSError as error:
            if error.errno in ENDED:
                continue
            raise
        for name in names:
            yield f"{folder}/{name}/schedstat"


def _times(path: str) -> Optional[Times]:
    """Read a thread's counters; None if it has ended.

    Raises:
        OSError: the file cannot be read.
        ValueError: it does not have three numbers.
    """
    try:
        with open(path, "rb") as file:
            run, waited, slices = file.read().split()
    except OSError as error:
        if error.errno in ENDED:
            return None
        raise
    return Times(int(run), int(waited), int(slices))
