"""Data points: from the lines of a cell to encoded NumberDataPoints (opentelemetry/proto/metrics/v1), and back to their series.

A point is kept without its time. `STAND_IN` holds the place of the time and of the attributes that all points of a family share:

    0a LENGTH  [11 START]  ATTRIBUTES  STAND_IN  21 VALUE        field 1 of Gauge and Sum

LENGTH already counts what replaces the stand-in. No other part of a point contains the stand-in: its eight bytes ff occur neither in
UTF-8 text nor in the length of anything, and a value has only eight bytes between two tags. START is no part of the series: it may
change while the attributes stay, as when a cgroup of the same path is made again.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Sequence
from operator import add

from telegen.otlp.wire import BYTES, message, tag, varint

STAND_IN = b"\x19" + b"\xff" * 8
TIME_SIZE = 9
"""Bytes of the time with its tag."""
VALUE_SIZE = 9
"""Bytes of the value with its tag."""
NO_VALUE = b"\x40\x01"
"""flags: no recorded value, which ends a series."""
ATTRIBUTE = 7
"""Field of the attributes of a point."""
MEMO = 8192
"""Label pairs and values that are remembered; 1 MB."""
_SHORT = 128 - 6
"""Bytes of name and value from which a length of an attribute takes more than one byte."""
_DATA_POINT = tag(1, BYTES)
_START = b"\x11"
_VALUE, _TIME = struct.Struct("<cd"), struct.Struct("<cQ")
_PAIR = re.compile(rb'([^=,]+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(rb"\\(.)")


def time_bytes(nanoseconds: int) -> bytes:
    """Encode the time of a point: Unix time in nanoseconds."""
    return _TIME.pack(b"\x19", nanoseconds)


def start_times(name: bytes, lines: bytes) -> tuple[bytes, list[bytes]]:
    """Divide the lines of a counter with `_created` samples, each of which follows the sample that it belongs to.

    Returns:
        The lines without them, and the encoded start_time_unix_nano of each; empty where it is not known, or in the future, as after the
        clock was put back: no start may be later than the time of its point.
    """
    beginning, now = name.removesuffix(b"_total") + b"_created", time.time()
    samples: list[bytes] = []
    starts: list[bytes] = []
    for line in filter(None, lines.split(b"\n")):
        if line.startswith(beginning):
            start = float(line.rpartition(b" ")[2])
            starts[-1] = _TIME.pack(_START, round(start * 1e9)) if start <= now else b""
        else:
            samples.append(line)
            starts.append(b"")
    return b"\n".join(samples), starts


def encode_attribute(key: bytes, value: bytes, field: int = ATTRIBUTE) -> bytes:
    """Encode an attribute of a point, or of the owner whose field is given; nothing for an empty value, which Prometheus drops as well.

    PERF: lengths below 128 take one byte each: 0.5 us where nested messages take 2.
    """
    if 0 < len(value) and len(key) + len(value) < _SHORT:
        k, v = len(key), len(value)
        return b"%c%c\x0a%c%b\x12%c\x0a%c%b" % (field << 3 | BYTES, k + v + 6, k, key, v + 2, v, value)
    return message(field, message(1, key), message(2, message(1, value))) if value else b""


def parse_labels(labels: bytes) -> list[tuple[bytes, bytes]]:
    """Return (name, value) of the labels between the braces of a line."""
    return [(key, _unescaped(value)) for key, value in _PAIR.findall(labels)]


def _unescaped(value: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: b"\n" if found[1] == b"n" else found[1], value) if b"\\" in value else value


class _Pairs(dict[bytes, bytes]):
    """Encoded attribute by `name="value` as it stands on the page, for values without escapes."""

    def __missing__(self, pair: bytes) -> bytes:
        if len(self) >= MEMO:
            self.clear()
        name, _, value = pair.partition(b'="')
        encoded = self[pair] = encode_attribute(name, value)
        return encoded


class _Values(dict[bytes, bytes]):
    """Stand-in and encoded value by its text."""

    def __missing__(self, text: bytes) -> bytes:
        if len(self) >= MEMO:
            self.clear()
        tail = self[text] = STAND_IN + _VALUE.pack(b"\x21", float(text))
        return tail


class Heads(dict[int, bytes]):
    """Tag and length of a point by its length."""

    def __missing__(self, length: int) -> bytes:
        head = self[length] = _DATA_POINT + varint(length)
        return head


class PointEncoder:
    """Encoder of cells. It remembers label pairs and values until `forget`."""

    def __init__(self) -> None:
        self._pairs, self._values, self._heads = _Pairs(), _Values(), Heads()

    def encode(self, name: bytes, lines: bytes, shared: int, starts: Sequence[bytes] = ()) -> tuple[bytes, int]:
        """Encode the lines of one family, which have no timestamps.

        PERF: 1.4 us a point of five labels whose pairs are known; 5 us where every pair is new.

        Args:
            name: of the family.
            shared: bytes of the attributes that all points of the family share.
            starts: encoded start time of each line, if any has one.

        Returns:
            The points, and their number.

        Raises:
            ValueError: a line is malformed.
        """
        pairs, values, heads = self._pairs, self._values, self._heads
        start, fixed = len(name) + 1, TIME_SIZE + VALUE_SIZE + shared
        parts: list[bytes] = []
        for line in lines.split(b"\n"):
            labels, _, value = line.rpartition(b"} ")
            if not labels:
                if not line:
                    continue
                attributes, value = b"", line[start:]
            elif b"\\" in labels or b'=",' in labels:
                # An escaped quote, or a value that begins with a comma: `",` does not only end values.
                attributes = b"".join([encode_attribute(key, text) for key, text in parse_labels(labels[start:])])
            else:
                attributes = b"".join([pairs[pair] for pair in labels[start:-1].split(b'",')])
            parts += heads[fixed + len(attributes)], attributes, values[value]
        if starts:
            parts[1::3] = map(add, starts, parts[1::3])
            parts[0::3] = [heads[fixed + len(one)] for one in parts[1::3]]
        return b"".join(parts), len(parts) // 3

    def forget(self) -> None:
        """Free the memory of the memos."""
        self._pairs.clear()
        self._values.clear()


def with_time(points: bytes, shared: bytes, time: bytes) -> bytes:
    """Put the shared attributes and the time into points. PERF: 0.1 us a point."""
    return points.replace(STAND_IN, shared + time)


def series_of(points: bytes) -> list[bytes]:
    """Return the encoded attributes of each point: the identity of its series."""
    found = []
    chunks = points.split(STAND_IN)
    skip = 0
    for chunk in chunks[:-1]:
        # Behind the value of the point before: the tag and the length, of one to three bytes.
        at = skip + 1
        while chunk[at] > 0x7F:
            at += 1
        at += 1
        found.append(chunk[at + TIME_SIZE :] if chunk.startswith(_START, at) else chunk[at:])
        skip = VALUE_SIZE
    return found


def split(points: bytes, most: int) -> list[bytes]:
    """Cut points into groups of at most `most` points."""
    chunks = points.split(STAND_IN)
    groups = []
    for first in range(0, len(chunks) - 1, most):
        part = chunks[first : first + most + 1]
        part[0] = part[0][VALUE_SIZE:] if first else part[0]
        part[-1] = part[-1][:VALUE_SIZE]
        groups.append(STAND_IN.join(part))
    return groups


def last_points(series: Sequence[bytes], shared: bytes, time: bytes) -> bytes:
    """Encode the last point of series that have vanished: no value, but the flag that says so."""
    return b"".join([message(1, attributes, shared, time, NO_VALUE) for attributes in series])
