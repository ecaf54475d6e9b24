"""Folders that look like /proc."""

from __future__ import annotations

import shutil
from pathlib import Path

HEADING = "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes ...\n"


def interface(name: str, number: int) -> str:
    """A line of net/dev whose sixteen columns are `number`0 to `number`15, in base 100."""
    return f"{name:>6}: " + " ".join(str(number * 100 + column) for column in range(16)) + "\n"


def process(proc: Path, pid: int, cgroup: str = "/", interfaces: str = "", **files: str) -> Path:
    """A process, in place of the one that had its number.

    Args:
        cgroup: path of its cgroup.
        interfaces: lines of its net/dev.
        files: others by name, with `__` for a slash: `net__tcp`.
    """
    folder = proc / str(pid)
    end(proc, pid)
    folder.mkdir(parents=True)
    contents = {"cgroup": f"0::{cgroup}\n", "net/dev": HEADING + interfaces}
    for name, content in {**contents, **{name.replace("__", "/"): content for name, content in files.items()}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def end(proc: Path, pid: int) -> None:
    """End a process, as far as its folder goes."""
    if (proc / str(pid)).exists():
        shutil.rmtree(proc / str(pid))
