"""The forms that control files have: one number, or lines of a key and a number."""

from __future__ import annotations

UNLIMITED = 0x7FFFFFFFFFFFF000
"""What v1 says where v2 says `max`."""


def number(content: bytes) -> int | None:
    """The number in a file; None for `max`, the kernel's word for no limit.

    Raises:
        ValueError: something else stands there.
    """
    word = content.strip()
    return None if word == b"max" else int(word)


def keyed(content: bytes) -> dict[bytes, int]:
    """`key number` lines. A line that was cut short, or is of another form, is passed over."""
    values = {}
    for line in content.split(b"\n"):
        key, _, value = line.partition(b" ")
        if value.lstrip(b"-").isdigit():
            values[key] = int(value)
    return values


def meminfo(content: bytes) -> dict[bytes, int]:
    """Lines of /proc/meminfo in bytes: `MemTotal:  16384 kB`."""
    values = {}
    for line in content.split(b"\n"):
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            values[words[0].rstrip(b":")] = int(words[1]) * 1024
    return values
