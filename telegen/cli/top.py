"""`telegen top`: a running agent and its node's containers in a terminal."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict

import orjson

from telegen.cli.agent_client import AgentClient, NoAnswer, add_arguments
from telegen.cli.containers import QUERY, SORTS, Row, Values, read_values, rows, selected
from telegen.cli.status import lines as status_lines
from telegen.cli.status import size, table
from telegen.config import ConfigError

HEADS = ("CONTAINER", "CPU", "REQUEST", "LIMIT", "MEMORY", "REQUEST", "LIMIT", "THROTTLED", "OOM", "PSI CPU", "PSI MEM", "PSI IO")
TEXT = "text/plain;version=0.0.4"


def add_top_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `telegen top`."""
    add_arguments(parser)
    parser.add_argument("--once", action="store_true", help="print once, after one interval, and exit")
    parser.add_argument("--json", action="store_true", help="with --once: print JSON")
    parser.add_argument("--interval", type=_interval, default=10.0, metavar="SECONDS", help="time between two scrapes (default: 10)")
    parser.add_argument("--sort", choices=tuple(SORTS), default="cpu", help="order of the containers (default: cpu)")
    parser.add_argument("--filter", default="", metavar="TEXT", help="only containers whose namespace/pod/container contains it")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="with --once: most containers; 0: all")
    parser.add_argument("--path", default="/metrics", help="path of the page with the containers (default: /metrics)")


def _interval(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"expected seconds from 0.1 to 3600, got {text!r}")
    return value


class Sampling:
    """Pages of the agent, and what happened between the last two."""

    def __init__(self, client: AgentClient, path: str) -> None:
        self._client, self._path = client, path
        self._before: tuple[float, Values] | None = None
        self.rows: list[Row] = []

    def sample(self) -> None:
        """Scrape and compute the rows.

        Raises:
            NoAnswer
        """
        at, page = time.monotonic(), self._client.get(self._path + QUERY, TEXT)
        try:
            values = read_values(page.decode())
        except ValueError as error:
            raise NoAnswer(f"{self._client.url}{self._path}: not a page of metrics: {error}") from error
        before, earlier = (self._before[1], self._before[0]) if self._before else ({}, at)
        self.rows = list(rows(before, values, at - earlier))
        self._before = at, values


def once(options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of `telegen top --once`.

    Raises:
        ConfigError, NoAnswer
    """
    client = AgentClient(options)
    sampling = Sampling(client, options.path)
    sampling.sample()
    time.sleep(options.interval)
    sampling.sample()
    found = client.status()
    shown = selected(sampling.rows, options.sort, options.filter)[: options.limit or None]
    if options.json:
        yield orjson.dumps({"agent": found, "containers": [asdict(row) for row in shown]}).decode()
        return
    yield from status_lines(found)
    yield ""
    yield from table(HEADS, [cells(row) for row in shown])


def cells(row: Row) -> list[str]:
    """Return a row as text."""
    cores = [_number(value, "{:.3f}") for value in (row.cpu, row.cpu_request, row.cpu_limit)]
    memory = ["-" if value is None else size(value) for value in (row.memory, row.memory_request, row.memory_limit)]
    shares = [_number(value, "{:.1%}") for value in (row.cpu_pressure, row.memory_pressure, row.io_pressure)]
    name = f"{row.namespace}/{row.pod}/{row.container}"
    return [name, *cores, *memory, _number(row.throttled, "{:.1%}"), _number(row.oom, "{:.0f}"), *shares]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def live(options: argparse.Namespace) -> None:
    """Show until `q` or Ctrl-C.

    Raises:
        ConfigError: rich is not installed, or an argument is invalid.
        NoAnswer: the first request fails.
    """
    try:
        from telegen.cli.live_top import LiveTop
    except ModuleNotFoundError as error:
        raise ConfigError("telegen top: the library rich is missing: pip install 'telegen[top]', or use --once") from error
    client = AgentClient(options)
    LiveTop(client, Sampling(client, options.path), options.interval, options.sort, options.filter).run()
