"""Options of the container runtimes that run on the host, from their command lines (/proc/PID/cmdline)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress

PROGRAMS = ("dockerd", "containerd", "crio")
_uid = re.compile(rb"^Uid:\t(\d+)", re.MULTILINE).search

Given = Callable[..., list[str]]
"""From names of options to the absolute paths that were given for them."""


class Arguments:
    """Command lines of the runtimes, by name of the program."""

    def __init__(self, lines: dict[str, list[list[str]]] | None = None) -> None:
        self._lines = lines or {}

    def of(self, program: str) -> Given:
        """Return the reader of a program's options; names have no hyphens."""

        def given(*names: str) -> list[str]:
            found = []
            for line in self._lines.get(program, ()):
                for at, word in enumerate(line):
                    option, separator, value = word.partition("=")
                    if option.startswith("-") and option.lstrip("-") in names:
                        found.append(value if separator else line[at + 1] if at + 1 < len(line) else "")
            return [path.rstrip("/") for path in found if path.startswith("/") and path.strip("/")]

        return given


def read_arguments(proc: str) -> Arguments:
    """Read the command line of each runtime. PERF: 10 us for each process of the host.

    Args:
        proc: the host's /proc.
    """
    lines: dict[str, list[list[str]]] = {}
    host = _mount_namespace(f"{proc}/1")
    with suppress(OSError):
        for pid in sorted(name for name in os.listdir(proc) if name.isdigit()):
            line = _command_line(f"{proc}/{pid}")
            name = line[0].rpartition("/")[2] if line else ""
            # Paths of a runtime inside a container are the container's. A tenant's command line, there or of a user of the host,
            # names any folder: a user's own runtimes are found by their home.
            if name in PROGRAMS and _mount_namespace(f"{proc}/{pid}") == host and not _is_of_user(f"{proc}/{pid}"):
                lines.setdefault(name, []).append(line[1:])
    return Arguments(lines)


def _command_line(folder: str) -> list[str]:
    try:
        with open(f"{folder}/cmdline", "rb") as file:
            return file.read(65536).decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return []


def _is_of_user(folder: str) -> bool:
    """True for a process that does not run as root (Uid of proc_pid_status(5)). The folder's own owner can be root all the same."""
    with suppress(OSError), open(f"{folder}/status", "rb") as file:
        found = _uid(file.read(65536))
        return found is not None and found[1] != b"0"
    return False


def _mount_namespace(folder: str) -> int:
    """Inode of a process's mount namespace; 0 if it may not be read."""
    with suppress(OSError):
        return os.stat(f"{folder}/ns/mnt").st_ino
    return 0
