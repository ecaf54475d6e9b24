"""Names of block devices.

Control files identify a device by its numbers, `8:0`. The name becomes a label: two devices with one name would be the same
series. A device without a unique name keeps its numbers.
"""

from __future__ import annotations

import time
from contextlib import suppress

REFRESH = 60.0
"""Seconds between two reads of the names, since a new disk can take over the numbers of another one."""


class Devices:
    """Maps device numbers to names. Not safe for threads."""

    def __init__(self, proc_root: str, sys_root: str) -> None:
        self._proc, self._sys = proc_root, sys_root
        self._names: dict[str, str] = {}
        self._due = 0.0

    def __call__(self, number: str) -> str:
        """Return `/dev/sda` for `8:0`; `8:0` itself if the kernel does not know the device."""
        now = time.monotonic()
        if now >= self._due:
            # Replaced as a whole, so that the names of removed disks become available.
            self._names, self._due = self._partitions(), now + REFRESH
        name = self._names.get(number)
        if name is None:
            # The disk is newer than the list, or has no size, in which case the list omits it.
            name = self._uevent(number)
            if not name or name in self._names.values():
                name = number
            self._names[number] = name
        return name

    def _partitions(self) -> dict[str, str]:
        """Parse /proc/partitions (proc(5)): lines of major, minor, blocks and name."""
        names = {}
        with suppress(OSError), open(f"{self._proc}/partitions", encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.split()
                if len(words) == 4 and words[0].isdigit() and words[1].isdigit():
                    names[f"{words[0]}:{words[1]}"] = _path(words[3])
        return names

    def _uevent(self, number: str) -> str:
        """DEVNAME of /sys/dev/block/NUMBER/uevent, "" if there is none."""
        with suppress(OSError), open(f"{self._sys}/dev/block/{number}/uevent", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, name = line.strip().partition("=")
                if key == "DEVNAME" and name:
                    return _path(name)
        return ""


def _path(name: str) -> str:
    # The kernel writes `!` for a slash in a device's name (`cciss!c0d0`).
    return "/dev/" + name.replace("!", "/")
