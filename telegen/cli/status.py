"""`telegen status`: the state of a running agent and of its processes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from telegen.cli.agent_client import AgentClient

READY, NOT_READY = 0, 1
"""Exit statuses."""


def status(options: argparse.Namespace) -> tuple[int, Iterator[str]]:
    """Return the exit status and the lines to print.

    Raises:
        ConfigError: an argument is invalid.
        NoAnswer: the agent cannot be asked.
    """
    found = AgentClient(options).status()
    return READY if found["ready"] else NOT_READY, iter([orjson.dumps(found).decode()]) if options.json else lines(found)


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the status as text."""
    agent, totals = found["agent"], found["totals"]
    yield f"telegen {agent['version']}, up {seconds(agent['up'])}: {'ready' if found['ready'] else 'not ready'}"
    if agent["reason"]:
        yield agent["reason"]
    yield from (f"problem: {line}" for line in found["problems"])
    yield from (f"note: {line}" for line in found["notes"])
    yield f"{totals['objects']:,} objects, {totals['series']:,} series, {size(totals['bytes'])} ({size(totals['stored'])} compressed)"
    yield ""
    yield from table(("PROCESS", "STATE", "PID", "UP", "MEMORY", "RESTARTS", "LAST BEAT"), [_process(one) for one in found["processes"]])
    yield ""
    shown = [one for one in found["resources"] if one["objects"] or one["state"] != "synced"]
    heads = ("RESOURCE", "STATE", "CHANGED", "OBJECTS", "SERIES", "TEXT")
    yield from table(heads, [_resource(one) for one in shown])
    if len(shown) < len(found["resources"]):
        yield f"{len(found['resources']) - len(shown)} more resources are in sync and have no objects."
    for one in found["shards"]:
        yield f"shard {one['lease']}: {'served here' if one['served'] else 'not served here'}, holder {one['holder'] or 'none'}"
    for one in found["warnings"]:
        yield f"warning {seconds(agent['time'] - one['time'])} ago, {one['process']}: {one['text']}"


def _process(one: dict[str, Any]) -> Sequence[str]:
    running = one["state"] == "running"
    state = f"restarting in {seconds(one['restarts_in'])}" if one["state"] == "restarting" else one["state"]
    memory, pid = size(one["memory"]) if one["memory"] else "", str(one["pid"]) if one["pid"] else ""
    return (
        one["name"], state, pid, seconds(one["up"]) if running else "", memory, str(one["restarts"]),
        f"{seconds(one['beat'])} ago" if running else "",
    )  # fmt: skip


def _resource(one: dict[str, Any]) -> Sequence[str]:
    late = f" for {seconds(one['out_of_sync'])}" if one["out_of_sync"] else ""
    state = "in sync" if one["state"] == "synced" else f"{one['state'] or 'read'}{late}{': ' if one['cause'] else ''}{one['cause']}"
    changed = "never" if one["age"] is None else f"{seconds(one['age'])} ago"
    return one["name"], state, changed, f"{one['objects']:,}", f"{one['series']:,}", size(one["bytes"])


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table with columns as wide as needed."""
    widths = [max(map(len, column)) for column in zip(heads, *rows)]
    for row in (heads, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


def size(value: float) -> str:
    """Return bytes with a unit."""
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def seconds(value: float) -> str:
    """Return a time with a unit."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    for limit, factor, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if value < limit:
            return f"{value / factor:.1f} {unit}" if value / factor < 10 else f"{value / factor:.0f} {unit}"
    return f"{value / 86400:.0f} d"
