"""The live display of `telegen top`, drawn by rich."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from telegen.cli.agent_client import AgentClient, NoAnswer
from telegen.cli.containers import SORTS, selected
from telegen.cli.status import seconds, size
from telegen.cli.top import HEADS, Sampling, cells

KEYS = {"c": "cpu", "m": "memory", "t": "throttled", "o": "oom", "p": "psi", "n": "name"}
HELP = "sort: c cpu, m memory, t throttled, o oom, p psi, n name   / filter   q quit"
LINES = 12
"""Lines of the screen that are not containers, besides one for each process."""


class LiveTop:
    """State of the display."""

    def __init__(self, client: AgentClient, sampling: Sampling, interval: float, order: str, words: str) -> None:
        assert order in SORTS
        self._client, self._sampling, self._interval = client, sampling, interval
        self._order, self._words, self._typing = order, words, False
        self._status: dict[str, Any] = {}
        self._problem = ""
        self._due = 0.0

    def run(self) -> None:
        """Show until `q` or Ctrl-C.

        Raises:
            NoAnswer: the first request fails.
        """
        self._sample()
        if self._problem:
            raise NoAnswer(self._problem)
        console = Console()
        with _keys() as typed, Live(self.screen(console.height), console=console, screen=True, auto_refresh=False) as display:
            try:
                while self._take(typed(min(1.0, max(0.0, self._due - time.monotonic())))):
                    if time.monotonic() >= self._due:
                        self._sample()
                    display.update(self.screen(console.height), refresh=True)
            except KeyboardInterrupt:
                return

    def _sample(self) -> None:
        """Ask the agent; after an error the last answer stays."""
        self._due = time.monotonic() + self._interval
        try:
            self._sampling.sample()
            self._status = self._client.status()
            self._problem = ""
        except NoAnswer as error:
            self._problem = str(error)

    def _take(self, text: str) -> bool:
        """Act on keys; return False at `q`."""
        for key in text:
            if self._typing:
                self._type(key)
            elif key == "q":
                return False
            elif key == "/":
                self._typing, self._words = True, ""
            else:
                self._order = KEYS.get(key, self._order)
        return True

    def _type(self, key: str) -> None:
        if key in "\r\n\x1b":
            self._typing = False
        elif key in "\x7f\b":
            self._words = self._words[:-1]
        elif key.isprintable():
            self._words += key

    def screen(self, height: int) -> Group:
        """Return the display for a terminal of this height."""
        status = self._status
        agent, totals = status["agent"], status["totals"]
        head = Text(f"telegen {agent['version']}, up {seconds(agent['up'])}  ")
        head.append("ready" if status["ready"] else "not ready", "bold green" if status["ready"] else "bold red")
        head.append(f"  {totals['objects']:,} objects, {totals['series']:,} series, {size(totals['bytes'])}")
        problems = [Text(line, "red") for line in ([self._problem] if self._problem else status["problems"])[:3]]
        words = f"filter: {self._words}{'_' if self._typing else ''}   " if self._words or self._typing else ""
        foot = Text(f"{words}order: {self._order}   {HELP}", "dim", no_wrap=True, overflow="ellipsis")
        room = max(3, height - LINES - len(status["processes"]))
        return Group(head, *problems, self._processes(), self._containers(room), foot)

    def _processes(self) -> Table:
        made = _table("PROCESS", "STATE", "MEMORY", "RESTARTS", expand=False)
        for one in self._status["processes"]:
            memory = size(one["memory"]) if one["memory"] else ""
            made.add_row(one["name"], one["state"], memory, str(one["restarts"]), style="red" if one["state"] == "restarting" else "")
        return made

    def _containers(self, room: int) -> Table:
        made = _table(*HEADS)
        shown = selected(self._sampling.rows, self._order, self._words)
        for row in shown[:room]:
            made.add_row(*map(Text, cells(row)))
        if len(shown) > room:
            made.add_row(Text(f"{len(shown) - room} more", "dim"))
        return made


def _table(*heads: str, expand: bool = True) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold", expand=expand)
    for number, head in enumerate(heads):
        made.add_column(head, justify="right" if number else "left", no_wrap=True, overflow="ellipsis")
    return made


def _no_keys(timeout: float) -> str:
    """Wait: standard input is not a terminal."""
    time.sleep(timeout)
    return ""


@contextmanager
def _keys() -> Iterator[Any]:
    """Yield a function that waits for keys for some seconds and returns them, "" if none was pressed."""
    if not sys.stdin.isatty():
        yield _no_keys
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)

    def typed(timeout: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], timeout)
        return os.read(descriptor, 64).decode("utf-8", "ignore") if ready else ""

    try:
        yield typed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
