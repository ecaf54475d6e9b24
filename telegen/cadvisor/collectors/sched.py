"""Time on the processor and in its queue, as the scheduler counts it per thread: cAdvisor's group `sched`.

A thread's counters end with it. What it had counted is kept for as long as its cgroup lives, so that the sum never goes
down. Off by default: one file per thread.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Optional

from telegen.cadvisor.collector import Context, Reading, Source, value
from telegen.metrics.family import ALPHA, counter

Times = tuple[int, int, int]
"""Nanoseconds run, nanoseconds waited, times run (/proc/PID/schedstat; https://docs.kernel.org/scheduler/sched-stats.html)."""

ENDED = frozenset((errno.ENOENT, errno.ESRCH))

FAMILIES = (
    counter("container_cpu_schedstat_run_seconds_total", "Time that threads ran, in seconds.", ALPHA, value("run")),
    counter(
        "container_cpu_schedstat_runqueue_seconds_total",
        "Time that threads waited to run, in seconds.",
        ALPHA,
        value("waited"),
    ),
    counter("container_cpu_schedstat_run_periods_total", "How often threads were given time to run.", ALPHA, value("periods")),
)


def read(context: Context) -> Optional[Times]:
    """The sum over all threads, those that have ended included."""
    known: tuple[Times, dict[str, Times]] = context.memo.get("sched", ((0, 0, 0), {}))
    ended, last = known
    threads: dict[str, Times] = {}
    for path in _threads(context):
        times = _times(path)
        if times:
            threads[path] = times
    for path, times in last.items():
        # A number that is used again is another thread: it has run for less.
        if path not in threads or threads[path][0] < times[0]:
            ended = _sum(ended, times)
    context.memo["sched"] = ended, threads
    if not threads and ended == (0, 0, 0):
        return None
    for times in threads.values():
        ended = _sum(ended, times)
    return ended


def parse(raw: Times, context: Context) -> Reading:
    """run, waited: seconds; periods: count."""
    return {"run": raw[0] / 1e9, "waited": raw[1] / 1e9, "periods": raw[2]}


SOURCE = Source("sched", "sched", FAMILIES, read, parse, kinds=frozenset(("container",)))


def _threads(context: Context) -> Iterator[str]:
    """The schedstat file of each thread; that of /proc/PID itself is the first thread's alone."""
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
    """A thread's counters; None when it has ended.

    Raises:
        OSError: they cannot be read.
        ValueError: they are of another form.
    """
    try:
        with open(path, "rb") as file:
            run, waited, periods = file.read().split()
    except OSError as error:
        if error.errno in ENDED:
            return None
        raise
    return int(run), int(waited), int(periods)


def _sum(a: Times, b: Times) -> Times:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]
