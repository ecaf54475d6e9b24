"""Parser of /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_escaped = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class FileSystem:
    """One mount.

    Attributes:
        device: device number, `8:1`.
        root: folder of the file system that is mounted, `/` for all of it.
        point: mount point in the process's mount namespace.
        type: `ext4`.
        source: `/dev/sda1`, or any string that the type allows.
        options: options of the file system; an overlay's include `upperdir=...`.
    """

    device: str
    root: str
    point: str
    type: str
    source: str
    options: str


def mounts(content: bytes) -> Iterator[FileSystem]:
    """Yield every mount in mount order. Truncated lines are skipped."""
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        words = line.split(" ")
        # Any number of optional fields precedes the hyphen; the first six fields are fixed.
        if len(words) < 10 or "-" not in words[6:-3]:
            continue
        type, source, options = words[words.index("-", 6) + 1 :][:3]
        yield FileSystem(words[2], _unescape(words[3]), _unescape(words[4]), type, _unescape(source), options)


def option(options: str, name: str) -> str:
    """Return the value of an overlay's option, "" if it is not set. `\\\\,` is a comma inside a value."""
    for part in re.split(r"(?<!\\),", options):
        key, _, value = part.partition("=")
        if key == name:
            return _unescape(value).replace("\\,", ",")
    return ""


def _unescape(word: str) -> str:
    """Replace the octal escapes that the kernel writes for blanks, tabs, newlines and backslashes."""
    return _escaped.sub(lambda found: chr(int(found[1], 8)), word) if "\\" in word else word
