"""Reader of single values from a bbolt database, in which podman up to 5 keeps its containers.

The file is a copy-on-write B+ tree of pages; two meta pages in turn name the root of the last transaction
(https://pkg.go.dev/go.etcd.io/bbolt). Pages that a transaction has freed are written again by a later one. A value is
therefore valid only if the meta page is the same after the read; no lock of the database is taken.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_left, bisect_right
from typing import NamedTuple, Optional

MAX_VALUE, MAX_DEPTH, TRIES = 1 << 20, 16, 3

_MAGIC, _VERSION = 0xED0CDAED, 2
_HEADER = struct.Struct("<QHHI")
"""Header of a page: id, flags, number of elements, number of overflow pages."""
_META = struct.Struct("<IIIIQQQQQ")
"""Magic, version, page size, flags, root page, its sequence, free list, number of pages, transaction."""
_BRANCH = struct.Struct("<IIQ")
"""Element of a branch page: position of the key behind the element's beginning, its size, page of the children."""
_LEAF = struct.Struct("<IIII")
"""Element of a leaf page: flags, position of the key behind the element's beginning, size of the key, size of the value."""
_IS_BRANCH, _IS_LEAF, _IS_BUCKET = 1, 2, 1
_BUCKET = struct.Struct("<QQ")
"""Value of a bucket: its root page, or 0 if the page follows in the value; sequence."""


class _Meta(NamedTuple):
    size: int
    root: int
    transaction: int


def read_values(file: int, path: tuple[bytes, ...], keys: tuple[bytes, ...]) -> list[Optional[bytes]]:
    """Read values of one bucket; None for each that does not exist.

    Args:
        file: descriptor of the database.
        path: names of the buckets from the root to the one with the keys.

    Raises:
        ValueError: the file is not such a database, or changes too often to be read.
        OSError: it cannot be read.
    """
    for _ in range(TRIES):
        meta = _read_meta(file)
        try:
            found = [_Tree(file, meta.size).find(meta.root, path, key) for key in keys]
        except (ValueError, struct.error):
            # A page that was written again meanwhile; a broken file fails in each try.
            found = None
        if found is not None and _read_meta(file) == meta:
            return found
    raise ValueError("not a readable bbolt database")


def _read_meta(file: int) -> _Meta:
    """Return the newer one of the two meta pages."""
    metas = []
    # The second meta page is at the page size, which the first one has; if the first is broken, at the usual size.
    for offset in (0, os.sysconf("SC_PAGE_SIZE")):
        content = os.pread(file, _HEADER.size + _META.size, offset)
        if len(content) == _HEADER.size + _META.size:
            magic, version, size, _, root, _, _, _, transaction = _META.unpack_from(content, _HEADER.size)
            if (magic, version) == (_MAGIC, _VERSION) and 512 <= size <= 1 << 16:
                metas.append(_Meta(size, root, transaction))
    if not metas:
        raise ValueError("not a bbolt database")
    return max(metas, key=lambda meta: meta.transaction)


class _Element(NamedTuple):
    """Key of an element of a leaf page, its kind, and position and length of its value."""

    key: bytes
    kind: int
    start: int
    length: int


class _Tree:
    """Pages of a database."""

    def __init__(self, file: int, size: int) -> None:
        self._file, self._size = file, size

    def find(self, root: int, path: tuple[bytes, ...], key: bytes) -> Optional[bytes]:
        """Return the value of a key in the bucket at `path` below the bucket with this root page."""
        page = self._read(root)
        for name in path:
            bucket = self._search(page, name, _IS_BUCKET)
            if bucket is None:
                return None
            root, _ = _BUCKET.unpack_from(bucket)
            # A small bucket is a single page inside the value.
            page = self._read(root) if root else bucket[_BUCKET.size :]
        return self._search(page, key, 0)

    def _read(self, number: int) -> bytes:
        offset = number * self._size
        content = os.pread(self._file, self._size, offset)
        _, _, _, overflow = _HEADER.unpack_from(content)
        if overflow * self._size > MAX_VALUE:
            raise ValueError("page too large")
        return os.pread(self._file, (overflow + 1) * self._size, offset) if overflow else content

    def _search(self, page: bytes, key: bytes, kind: int) -> Optional[bytes]:
        """Descend to the leaf that has the key; None if it does not exist, or is of another kind (bucket or value)."""
        for _ in range(MAX_DEPTH):
            _, flags, count, _ = _HEADER.unpack_from(page)
            if flags & _IS_LEAF:
                return _in_leaf(page, count, key, kind)
            if not flags & _IS_BRANCH:
                raise ValueError("not a page of a tree")
            page = self._read(_child(page, count, key))
        raise ValueError("tree too deep")


def _child(page: bytes, count: int, key: bytes) -> int:
    """Page of the children that can have the key: the last whose first key is not greater."""

    def key_of(index: int) -> bytes:
        at = _HEADER.size + index * _BRANCH.size
        position, size, _ = _BRANCH.unpack_from(page, at)
        return page[at + position : at + position + size]

    if not count:
        raise ValueError("branch page without elements")
    # Keys are sorted. A search through all would let a user's own database of huge pages take seconds.
    index = bisect_right(range(count), key, lo=1, key=key_of) - 1
    _, _, number = _BRANCH.unpack_from(page, _HEADER.size + index * _BRANCH.size)
    return number  # type: ignore[no-any-return]


def _in_leaf(page: bytes, count: int, key: bytes, kind: int) -> Optional[bytes]:
    def element(index: int) -> _Element:
        at = _HEADER.size + index * _LEAF.size
        flags, position, size, length = _LEAF.unpack_from(page, at)
        start = at + position + size
        return _Element(page[at + position : start], flags & _IS_BUCKET, start, length)

    index = bisect_left(range(count), key, key=lambda index: element(index).key)
    found = element(index) if index < count else None
    return page[found.start : found.start + found.length] if found and (found.key, found.kind) == (key, kind) else None
