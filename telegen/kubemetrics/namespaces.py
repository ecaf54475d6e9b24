"""Samples of some namespaces, taken from the blocks that have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Union

from telegen.shm.deflate import compress, crc32, decompress
from telegen.shm.layout import Column
from telegen.shm.reader import ArenaReader, StoreSnapshot, TornSnapshot

Blocks = Mapping[int, Sequence[bytes]]
"""Labels to look for, by block."""


@dataclass(frozen=True)
class Piece:
    """Text as pieces of deflate, with the crc32 and the length of the text."""

    deflate: Sequence[Union[bytes, memoryview]]
    crc: int
    length: int


def blocks_of(store: StoreSnapshot, namespaces: frozenset[str]) -> Blocks:
    """Return the blocks that may have samples of the namespaces: all of them if the objects have no groups."""
    labels = {name: f'namespace="{name}"'.encode() for name in sorted(namespaces)}
    if store.groups is None:
        return dict.fromkeys(range(len(store.columns[0].cells)) if store.columns else (), list(labels.values()))
    found: dict[int, list[bytes]] = {}
    for name, label in labels.items():
        for block in store.groups.get(name, ()):
            found.setdefault(block, []).append(label)
    # Samples of an object outside a namespace may still have the label: that of a namespace itself does.
    return {**found, **dict.fromkeys(store.groups.get("", ()), list(labels.values()))}


def of_namespaces(reader: ArenaReader, sequence: int, column: Column, blocks: Blocks) -> list[Piece]:
    """Return the lines of a column that have one of the labels of their block, as one piece or none.

    PERF: objects of a namespace are stored together, so the lines of a cell are mostly one run. One namespace of 40 in 10,000 pods takes
    a fifth of the CPU time of an identity page.

    Raises:
        TornSnapshot: the snapshot of this sequence number has been reclaimed.
    """
    copies = [(reader.copy(column.cells[block]), labels) for block, labels in blocks.items() if column.cells[block]]
    # Before they are expanded: memory that was reused is no deflate.
    if not reader.intact(sequence):
        raise TornSnapshot(reader.name)
    parts = []
    for copy, labels in copies:
        cell = decompress(copy)
        parts += [_lines(cell, label) for label in labels if label in cell]
    text = b"".join(parts)
    return [Piece([compress(text)], crc32(text), len(text))] if text else []


def _lines(cell: bytes, label: bytes) -> bytes:
    """Return the lines of a cell that have a label.

    The brace or comma in front tells it from labels whose names end alike, such as `exported_namespace`. No label value can look like a
    label, because its quotes are escaped.
    """
    start = cell.rfind(b"\n", 0, cell.find(label)) + 1
    run = cell[start : cell.find(b"\n", cell.rfind(label)) + 1]
    first, later = b"{" + label, b"," + label
    if run.count(b"\n") in (run.count(first), run.count(later)):
        return run
    return b"".join(line + b"\n" for line in run.split(b"\n") if first in line or later in line)
