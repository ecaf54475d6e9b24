"""The allocator: blocks never overlap, and adjacent free blocks are merged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegen.shm.allocator import Allocator, ArenaFull

FIRST, LIMIT = 10, 500
Actions = st.lists(st.one_of(st.integers(1, 40), st.floats(0, 1)), max_size=80)
"""A whole number allocates so many units; a fraction selects one of the allocated blocks to free."""


@given(Actions)
def test_blocks_never_overlap_and_join_when_freed(actions: list[float]) -> None:
    """After any sequence of calls blocks are disjoint and inside the arena, and no two free blocks are adjacent."""
    allocator = Allocator(FIRST, LIMIT)
    taken: list[tuple[int, int]] = []
    for action in actions:
        if isinstance(action, int):
            try:
                taken.append((allocator.take(action), action))
            except ArenaFull:
                assert action > LIMIT - allocator.high
        elif taken:
            allocator.give(*taken.pop(int(action * (len(taken) - 1))))
        blocks = sorted([*taken, *allocator.free_blocks()])
        assert all(start >= FIRST and start + size <= allocator.high for start, size in blocks)
        assert sum(size for _, size in blocks) == allocator.high - FIRST
        assert all(a + size <= b for (a, size), (b, _) in zip(blocks, blocks[1:]))
        free = allocator.free_blocks()
        assert all(a + size < b for (a, size), (b, _) in zip(free, free[1:]))
    for block in taken:
        allocator.give(*block)
    assert allocator.free_blocks() in ([], [(FIRST, allocator.high - FIRST)])


@given(st.sets(st.integers(0, 30), max_size=20))
def test_reserved_blocks_are_taken(places: set[int]) -> None:
    """Blocks of a predecessor are not allocated; the gaps between them are."""
    blocks = [(FIRST + 5 * place, 5) for place in places]
    allocator = Allocator(FIRST, LIMIT)
    allocator.reserve(blocks)
    for _ in range(20):
        start = allocator.take(3)
        assert all(start + 3 <= low or start >= low + size for low, size in blocks)


def test_smallest_block_that_fits() -> None:
    """Best fit: a small block is not taken from a large one if a smaller one fits."""
    allocator = Allocator(0, 100)
    starts = [allocator.take(size) for size in (20, 1, 5, 1)]
    allocator.give(starts[0], 20)
    allocator.give(starts[2], 5)
    assert allocator.take(4) == starts[2]


def test_full_arena() -> None:
    """A full arena is an error that names the limit; the allocator stays usable."""
    allocator = Allocator(0, 10)
    allocator.take(8)
    with pytest.raises(ArenaFull, match="no 3 units left of 10"):
        allocator.take(3)
    assert allocator.take(2) == 8
