"""Second attempt at JSON that the fast decoders refuse: one malformed object must not hide the others.

A tenant with the right to update one object may store managedFields that are nested thousands of levels deep: Go's decoder
accepts 10,000 levels, the decoders of Python about 1,000. Other servers behind the API server (aggregated APIs, custom
resources) may send numbers or strings that JSON parsers disagree about. Everything here is slow and iterative, and runs only
after a failure.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

DEPTH = 64
"""Levels that are kept; no table reads a field at half that depth."""
ITEMS = (b'"items"', b'"rows"')
"""Keys under which lists and Tables have their objects."""
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
# A string without an end takes the rest: searching for its end again and again would take quadratic time.
_TOKEN = re.compile(_STRING + rb'|".*|[\[\]{}]', re.DOTALL)
_METADATA = re.compile(rb'"metadata"\s*:\s*\{((?:' + _STRING + rb'|[^"{}])*)', re.DOTALL)
_IDENTITY = re.compile(rb'"(name|namespace|uid|resourceVersion)"\s*:\s*(' + _STRING + rb")", re.DOTALL)
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_MAX_DIGITS = 300
"""Digits of an integer; longer ones are no float either."""


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits[:_MAX_DIGITS]) * float("inf")


DECODER = json.JSONDecoder(strict=False, parse_int=_integer, parse_constant=lambda name: None)
"""Decoder that accepts control characters in strings and integers of any size."""


class Malformed(Exception):
    """The bytes cannot be decoded at all."""


def prune(data: bytes, depth: int = DEPTH) -> bytes:
    """Replace every array and object below `depth` levels by null, without recursion."""
    kept: list[bytes] = []
    level, copied = 0, 0
    for token in _TOKEN.finditer(data):
        mark = data[token.start()]
        if mark in b"[{":
            level += 1
            if level == depth + 1:
                kept += [data[copied : token.start()], b"null"]
        elif mark in b"]}":
            level -= 1
            if level == depth:
                copied = token.end()
    # Inside a pruned value at the end, the text is truncated JSON, which is refused by the decoder.
    return b"".join([*kept, data[copied:]])


def replace_surrogates(data: bytes) -> bytes:
    """Replace escapes of half a character, which UTF-8 cannot represent, by U+FFFD; the length stays the same."""
    return _LONE_SURROGATE.sub(rb"\\ufffd", data)


def decode(data: bytes) -> Any:
    """Decode JSON with all tolerance: deep values become null, integers of any size are numbers, surrogates are replaced.

    Raises:
        Malformed: the bytes are not JSON.
    """
    pruned = prune(data)
    try:
        return orjson.loads(pruned)
    except orjson.JSONDecodeError:
        text = replace_surrogates(pruned).decode("utf-8", "replace")
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from error


def decode_list(data: bytes) -> tuple[Any, list[bytes]]:
    """Decode a list or Table; where that fails as a whole, decode each of its objects by itself.

    Returns:
        The list with the objects that can be decoded, and the bytes of the others.

    Raises:
        Malformed: the bytes are not a list.
    """
    try:
        return decode(data), []
    except Malformed:
        key, start, items, end = _split(data)
    page = decode(data[:start] + data[end:])
    found, failed = [], []
    for item in items:
        try:
            found.append(decode(item))
        except Malformed:
            failed.append(item)
    page[key] = found
    return page, failed


def metadata(data: bytes, *path: str) -> dict[str, str]:
    """Find name, namespace, uid and resourceVersion of the object at `path` in bytes that cannot be decoded."""
    start = _METADATA.search(prune(data, len(path) + 2))
    found = {}
    for key, value in _IDENTITY.findall(start[1]) if start else ():
        try:
            found[key.decode()] = str(orjson.loads(value))
        except orjson.JSONDecodeError:
            continue
    return found


def _split(data: bytes) -> tuple[str, int, list[bytes], int]:
    """Find the objects of a list.

    Returns:
        The key of the array, the place behind its opening bracket, the bytes of each object, the place of the closing bracket.

    Raises:
        Malformed: there is no complete array of objects.
    """
    level, key, array = 0, b"", b""
    first = start = 0
    items: list[bytes] = []
    for token in _TOKEN.finditer(data):
        mark = data[token.start() : token.start() + 1]
        if mark == b'"':
            key = token[0] if level == 1 else key
        elif mark in b"[{":
            if level == 1 and mark == b"[" and key in ITEMS:
                array, first = key, token.end()
            elif level == 2 and array:
                start = token.start()
            level += 1
        else:
            level -= 1
            if array and level == 2:
                items.append(data[start : token.end()])
            elif array and level == 1:
                return array.decode().strip('"'), first, items, token.start()
    raise Malformed("neither items nor rows are complete")
