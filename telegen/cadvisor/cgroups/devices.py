"""What block devices are called.

Control files speak of `8:0`. A name is a label, and two devices of one name would be one series: a number whose name is
not known, or is taken, stands for itself.
"""

from __future__ import annotations

import time
from contextlib import suppress

REFRESH = 60.0
"""Seconds after which the kernel is asked again, so that a disk that took another's number has its own name."""


class Devices:
    """Names of block devices by number. Not safe for threads."""

    def __init__(self, proc_root: str, sys_root: str) -> None:
        self._proc, self._sys = proc_root, sys_root
        self._names: dict[str, str] = {}
        self._due = 0.0

    def __call__(self, number: str) -> str:
        """`8:0` to `/dev/sda`; to `8:0` when the kernel knows no such device."""
        now = time.monotonic()
        if now >= self._due:
            self._names, self._due = self._partitions(), now + REFRESH
        name = self._names.get(number)
        if name is None:
            # A disk that came since, or one without a size, which the list leaves out.
            name = self._uevent(number)
            if not name or name in self._names.values():
                name = number
            self._names[number] = name
        return name

    def _partitions(self) -> dict[str, str]:
        """Disks and partitions of /proc/partitions (proc(5)): lines of major, minor, blocks and name."""
        names = {}
        with suppress(OSError), open(f"{self._proc}/partitions", encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.split()
                if len(words) == 4 and words[0].isdigit() and words[1].isdigit():
                    names[f"{words[0]}:{words[1]}"] = _path(words[3])
        return names

    def _uevent(self, number: str) -> str:
        """DEVNAME of /sys/dev/block/NUMBER/uevent, "" when there is none."""
        with suppress(OSError), open(f"{self._sys}/dev/block/{number}/uevent", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, name = line.strip().partition("=")
                if key == "DEVNAME" and name:
                    return _path(name)
        return ""


def _path(name: str) -> str:
    """The device file. The kernel writes `!` where a name in /dev has a slash (`cciss!c0d0`)."""
    return "/dev/" + name.replace("!", "/")
