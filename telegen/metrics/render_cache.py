"""Cache of rendered text by the values that it was rendered from."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

Result = TypeVar("Result")

SIZE = 128
"""Number of results after which all are dropped together. Pods of one workload arrive close together, so a small cache
that is emptied now and then finds as much as one that tracks the use of each entry, and needs no bookkeeping."""


class RenderCache(dict[Hashable, Result]):
    """A dict that empties itself when full and turns itself off when few lookups succeed.

    Look up with `get` and count the lookup in `lookups`; store with `put`. Safe for threads: in the worst case a result
    is computed twice.

    Attributes:
        lookups: number of lookups since the cache was last emptied.
        enabled: False for good once fewer than half of the lookups succeeded: a lookup costs more than it saves then.
    """

    # PERF: a subclass of dict, read by `get` directly: a method of its own would add 0.2 us for each of 50 families an object.
    __slots__ = ("lookups", "enabled")

    def __init__(self) -> None:
        super().__init__()
        self.lookups = 0
        self.enabled = True

    def put(self, key: Hashable, result: Result) -> None:
        """Store a result. Every result in a full cache stands for one failed lookup."""
        if len(self) >= SIZE:
            self.enabled = self.lookups >= 2 * SIZE
            self.lookups = 0
            self.clear()
        if self.enabled:
            self[key] = result
