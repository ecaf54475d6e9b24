"""Parsers of the formats of control files (https://docs.kernel.org/admin-guide/cgroup-v2.html#format)."""

from __future__ import annotations


def number(content: bytes) -> int | None:
    """Parse a file with one number; None for `max`, which means no limit.

    Raises:
        ValueError: the content is not a number.
    """
    word = content.strip()
    return None if word == b"max" else int(word)


def number_if_read(content: bytes | None) -> int | None:
    """Parse a file with one number as `number` does; None also if the file does not exist."""
    return None if content is None else number(content)


def keyed(content: bytes) -> dict[bytes, int]:
    """Parse lines of a key and a number. Lines that are truncated or malformed are skipped."""
    words = content.split()
    # PERF: 6 us for a well-formed memory.stat of 50 lines; line by line 17 us.
    if len(words) == 2 * content.count(b"\n"):
        try:
            return dict(zip(words[::2], map(int, words[1::2])))
        except ValueError:
            return _keyed_by_line(content)
    return _keyed_by_line(content)


def _keyed_by_line(content: bytes) -> dict[bytes, int]:
    values = {}
    for line in content.split(b"\n"):
        key, _, value = line.partition(b" ")
        if value.lstrip(b"-").isdigit():
            values[key] = int(value)
    return values


def meminfo(content: bytes) -> dict[bytes, int]:
    """Parse /proc/meminfo (proc_meminfo(5)): `MemTotal:  16384 kB` is 16777216 bytes."""
    values = {}
    for line in content.split(b"\n"):
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            values[words[0].rstrip(b":")] = int(words[1]) * 1024
    return values
