"""Collections of the API, and parts of them, as reflectors watch them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from telegen.api.representation import REPRESENTATIONS, Name
from telegen.metrics.hashing import fnv1a64

SHARD_BITS = 64


@dataclass(frozen=True)
class Collection:
    """A collection, or the part of it that one process takes.

    Attributes:
        path: URL path of the collection, for example `/api/v1/pods`.
        representation: extent of each object that is requested.
        params: further query parameters, for example `fieldSelector`.
        part: (index, count) of equal slices of the UID hash space; (0, 1) is everything. The server may select it (KEP-5866).
        keep: filter on the UID hash within the part; None keeps all. The server cannot select it.
        reads: paths of the fields that are decoded (see `telegen.api.decoding`); empty decodes all.
    """

    path: str
    representation: Name = "object"
    params: dict[str, str] = field(default_factory=dict)
    part: tuple[int, int] = (0, 1)
    keep: Callable[[int], bool] | None = None
    reads: tuple[str, ...] = ()

    @property
    def divided(self) -> bool:
        """True if the collection is only a part."""
        return self.part[1] > 1 or self.keep is not None

    def takes(self) -> Callable[[str], bool]:
        """Return the predicate that selects objects by UID."""
        hashes, keep = self.hashes, self.keep
        if keep is None:
            return lambda uid: fnv1a64(uid) in hashes

        def takes(uid: str) -> bool:
            value = fnv1a64(uid)
            return value in hashes and keep(value)

        return takes

    @property
    def hashes(self) -> range:
        """Range of UID hashes of the part."""
        number, total = self.part
        edges = [(n << SHARD_BITS) // total for n in (number, number + 1)]
        return range(*edges)

    @property
    def query(self) -> dict[str, str]:
        """Query parameters of every request. A server without KEP-5866 ignores `shardSelector`."""
        query = {**self.params, **dict(REPRESENTATIONS[self.representation].params)}
        if self.part[1] > 1:
            low, high = self.hashes.start, self.hashes.stop
            query["shardSelector"] = f"shardRange(object.metadata.uid,'{low:#018x}','{high:#018x}')"
        return query
