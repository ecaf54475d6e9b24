"""The mounts that a process sees (/proc/PID/mountinfo, proc(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_escaped = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class FileSystem:
    """One mount.

    Attributes:
        device: `8:1`.
        root: which folder of the file system is mounted, `/` for all of it.
        point: where, as the process sees it.
        type: `ext4`.
        source: `/dev/sda1`, or anything.
        options: of the file system, `upperdir=...` among an overlay's.
    """

    device: str
    root: str
    point: str
    type: str
    source: str
    options: str


def mounts(content: bytes) -> Iterator[FileSystem]:
    """Every mount, in the order in which they were made; lines that were cut short are passed over."""
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        words = line.split(" ")
        # A number of optional fields stands between the sixth and the hyphen.
        if len(words) < 10 or "-" not in words[6:-3]:
            continue
        type, source, options = words[words.index("-", 6) + 1 :][:3]
        yield FileSystem(words[2], _plain(words[3]), _plain(words[4]), type, _plain(source), options)


def option(options: str, name: str) -> str:
    """The value of an option of an overlay, "" when it has none. `\\\\,` is a comma of the value itself."""
    for part in re.split(r"(?<!\\),", options):
        key, _, value = part.partition("=")
        if key == name:
            return _plain(value).replace("\\,", ",")
    return ""


def _plain(word: str) -> str:
    """A word without the octal escapes that the kernel writes for blanks and backslashes."""
    return _escaped.sub(lambda found: chr(int(found[1], 8)), word) if "\\" in word else word
