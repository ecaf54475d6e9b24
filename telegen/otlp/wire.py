"""Protocol Buffers wire format: the few pieces that OTLP messages are made of."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Union

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""
_DOUBLE, _FIXED64 = struct.Struct("<d"), struct.Struct("<Q")

Value = Union[int, bytes]


def varint(number: int) -> bytes:
    """Encode an unsigned integer."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def tag(field: int, kind: int) -> bytes:
    """Encode the tag of a field."""
    return varint(field << 3 | kind)


def head(field: int, length: int) -> bytes:
    """Encode what precedes the content of a field of bytes, text or a nested message."""
    return tag(field, BYTES) + varint(length)


def message(field: int, *parts: bytes) -> bytes:
    """Encode a field of bytes, text or a nested message."""
    return b"".join((head(field, sum(map(len, parts))), *parts))


def text(field: int, value: str) -> bytes:
    """Encode a field of text. Lone surrogates, which UTF-8 cannot encode, become `?`."""
    return message(field, value.encode("utf-8", "replace"))


def number(field: int, value: int) -> bytes:
    """Encode a field of an integer; a negative one takes ten bytes, as the format demands."""
    return tag(field, VARINT) + varint(value & 0xFFFFFFFFFFFFFFFF)


def fixed64(field: int, value: int) -> bytes:
    """Encode a field of a fixed64, such as nanoseconds of Unix time."""
    return tag(field, FIXED64) + _FIXED64.pack(value)


def double(field: int, value: float) -> bytes:
    """Encode a field of a double."""
    return tag(field, FIXED64) + _DOUBLE.pack(value)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return (integer, position behind it).

    Raises:
        ValueError: the data end inside it, or it is longer than 64 bits.
    """
    value = shift = 0
    for at in range(at, min(at + 10, len(data))):
        value |= (data[at] & 0x7F) << shift
        if data[at] < 0x80:
            return value, at + 1
        shift += 7
    raise ValueError("malformed varint")


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Yield (field number, value) of a message; a fixed value comes as its bytes.

    Raises:
        ValueError: the data are no message.
    """
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
            yield key >> 3, value
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(kind)
        if kind == BYTES:
            size, at = read_varint(data, at)
        if size is None or at + size > len(data):
            raise ValueError("malformed message")
        yield key >> 3, data[at : at + size]
        at += size


def nested(data: bytes, field: int) -> Iterator[bytes]:
    """Yield the values of one field of bytes, text or nested messages.

    Raises:
        ValueError: the data are no message.
    """
    return (value for number, value in fields(data) if number == field and isinstance(value, bytes))
