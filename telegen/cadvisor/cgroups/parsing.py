"""Parsers of the formats of control files (https://docs.kernel.org/admin-guide/cgroup-v2.html#format)."""

from __future__ import annotations

import re

WRAPPED = 1 << 63
"""Numbers from here on are negative sums of per-CPU counters, which the kernel prints without a sign. No real count is as high."""
_ranges = re.compile(r"(\d+)(?:-(\d+))?").findall


def known(value: int) -> int | None:
    """Return a number as it is; None for one that the kernel has computed wrongly: below 0 or from WRAPPED on."""
    return value if 0 <= value < WRAPPED else None


def count(word: str) -> int | None:
    """Parse a word of digits; None for any other word, and for a number that is not `known`."""
    return known(int(word)) if word.isdecimal() else None


def number(content: bytes) -> int | None:
    """Parse a file with one number; None for `max`, which means no limit, and for a number that is not `known`.

    Raises:
        ValueError: the content is not a number.
    """
    word = content.strip()
    return None if word == b"max" else known(int(word))


def number_if_read(content: bytes | None) -> int | None:
    """Parse a file with one number as `number` does; None also if the file does not exist."""
    return None if content is None else number(content)


def keyed(content: bytes) -> dict[bytes, int]:
    """Parse lines of a key and a number. Lines that are truncated or malformed, and numbers that are not `known`, are skipped."""
    words = content.split()
    # PERF: 8 us for a well-formed memory.stat of 50 lines; line by line 25 us.
    if len(words) == 2 * content.count(b"\n"):
        try:
            values = dict(zip(words[::2], map(int, words[1::2])))
        except ValueError:
            return _keyed_by_line(content)
        if values and min(values.values()) >= 0 and max(values.values()) < WRAPPED:
            return values
    return _keyed_by_line(content)


def _keyed_by_line(content: bytes) -> dict[bytes, int]:
    values = {}
    for line in content.decode("ascii", "replace").split("\n"):
        key, _, word = line.partition(" ")
        value = count(word)
        if value is not None:
            values[key.encode()] = value
    return values


def meminfo(content: bytes) -> dict[bytes, int]:
    """Parse /proc/meminfo (proc_meminfo(5)): `MemTotal:  16384 kB` is 16777216 bytes."""
    values = {}
    for line in content.split(b"\n"):
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            values[words[0].rstrip(b":")] = int(words[1]) * 1024
    return values


def ranges(content: str) -> list[int]:
    """Parse a list of the kernel: `0-2,8` is 0, 1, 2, 8."""
    found: list[int] = []
    for first, last in _ranges(content):
        found += range(int(first), int(last or first) + 1)
    return found
