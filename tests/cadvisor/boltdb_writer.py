"""Small bbolt databases, as podman's."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Union

PAGE = 4096
Bucket = Mapping[bytes, Union[bytes, "Bucket"]]


def write_database(path: Path, content: Bucket, transaction: int = 2) -> None:
    """Write a database of nested buckets. A bucket has pages of its own; one with more than a page has a branch page."""
    pages: list[bytes] = [b"", b"", _page(2, 16, 0)]
    root = _write_bucket(content, pages)
    for number in (0, 1):
        meta = struct.pack("<IIIIQQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 2, len(pages), transaction - number, 0)
        pages[number] = _page(number, 4, 0, meta)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(pages))


def _write_bucket(content: Bucket, pages: list[bytes]) -> int:
    """Append the pages of a bucket; its root page."""
    items = []
    for key in sorted(content):
        value = content[key]
        items.append((key, value, 0) if isinstance(value, bytes) else (key, struct.pack("<QQ", _write_bucket(value, pages), 0), 1))
    leaves = [(items[at][0], _append_leaf(items[at : at + 3], pages)) for at in range(0, len(items), 3)]
    if len(leaves) == 1:
        return leaves[0][1]
    heads, keys, number = b"", b"", len(pages)
    for index, (key, leaf) in enumerate(leaves):
        heads += struct.pack("<IIQ", 16 * (len(leaves) - index) + len(keys), len(key), leaf)
        keys += key
    pages.append(_page(number, 1, len(leaves), heads + keys))
    return number


def _append_leaf(items: list[tuple[bytes, bytes, int]], pages: list[bytes]) -> int:
    heads, body, number = b"", b"", sum(len(page) or PAGE for page in pages) // PAGE
    for index, (key, value, flags) in enumerate(items):
        heads += struct.pack("<IIII", flags, 16 * (len(items) - index) + len(body), len(key), len(value))
        body += key + value
    whole = _page(number, 2, len(items), heads + body)
    pages += [whole[at : at + PAGE] for at in range(0, len(whole), PAGE)]
    return number


def _page(number: int, flags: int, count: int, content: bytes = b"") -> bytes:
    overflow = (16 + len(content) - 1) // PAGE
    return (struct.pack("<QHHI", number, flags, count, overflow) + content).ljust(PAGE * (overflow + 1), b"\0")
