"""Allocator of the units of an arena: best fit, with adjacent free blocks merged at once."""

from __future__ import annotations

from bisect import bisect_left, insort


class ArenaFull(MemoryError):
    """The arena has reached its limit."""


class Allocator:
    """Allocates units [first, limit) of an arena. Not safe for threads by itself.

    Free blocks below the high-water mark `high` are indexed by start, by end and by size. All units above it are free, and
    were never written.
    """

    def __init__(self, first: int, limit: int) -> None:
        self._limit = limit
        self.high = first
        self._sizes: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        self._by_size: list[tuple[int, int]] = []

    def take(self, size: int) -> int:
        """Allocate `size` units and return the first.

        Raises:
            ArenaFull: no free block is large enough.
        """
        # (size, 0) sorts before every block of this size: the first block from there is the best fit.
        at = bisect_left(self._by_size, (size, 0))
        if at < len(self._by_size):
            block, start = self._by_size[at]
            self._remove(start, block)
            if block > size:
                self._add(start + size, block - size)
            return start
        start = self.high
        if start + size > self._limit:
            raise ArenaFull(f"no {size} units left of {self._limit}")
        self.high = start + size
        return start

    def give(self, start: int, size: int) -> tuple[int, int]:
        """Free units; return the merged free block (start, size) that contains them."""
        end = start + size
        if end in self._sizes:
            size += self._remove(end, self._sizes[end])
        if start in self._starts:
            before = self._starts[start]
            start, size = before, size + self._remove(before, self._sizes[before])
        self._add(start, size)
        return start, size

    def reserve(self, taken: list[tuple[int, int]]) -> None:
        """Mark these (start, size) blocks as taken and the gaps between them as free, before the first allocation."""
        for start, size in sorted(taken):
            if start > self.high:
                self._add(self.high, start - self.high)
            self.high = max(self.high, start + size)

    def free_blocks(self) -> list[tuple[int, int]]:
        """Return (start, size) of every free block below the high-water mark."""
        return sorted(self._sizes.items())

    def _add(self, start: int, size: int) -> None:
        self._sizes[start] = size
        self._starts[start + size] = start
        insort(self._by_size, (size, start))

    def _remove(self, start: int, size: int) -> int:
        del self._sizes[start], self._starts[start + size]
        del self._by_size[bisect_left(self._by_size, (size, start))]
        return size
