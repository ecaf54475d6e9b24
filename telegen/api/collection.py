"""A collection of the API, or a part of it: what a reflector watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from telegen.api.representation import REPRESENTATIONS, Name
from telegen.metrics.hashing import fnv1a64

SHARD_BITS = 64


@dataclass(frozen=True)
class Collection:
    """What is watched.

    Attributes:
        path: of the collection: `/api/v1/pods`.
        representation: how much of each object.
        params: more query parameters: `fieldSelector`.
        part: (number, of how many) slices of the UID's hash; (0, 1) is everything. The server may select it.
        keep: of what is left, which objects are taken, by the hash of their UID; None for all. Only we can select it.
        reads: paths of what is read of an object (see `telegen.api.decoding`); the store gets no more. Empty for all.
    """

    path: str
    representation: Name = "object"
    params: dict[str, str] = field(default_factory=dict)
    part: tuple[int, int] = (0, 1)
    keep: Callable[[int], bool] | None = None
    reads: tuple[str, ...] = ()

    @property
    def divided(self) -> bool:
        """Whether there are objects that are not taken."""
        return self.part[1] > 1 or self.keep is not None

    def takes(self) -> Callable[[str], bool]:
        """The function that says whether an object is taken, by its UID."""
        hashes, keep = self.hashes, self.keep
        if keep is None:
            return lambda uid: fnv1a64(uid) in hashes

        def takes(uid: str) -> bool:
            value = fnv1a64(uid)
            return value in hashes and keep(value)

        return takes

    @property
    def hashes(self) -> range:
        """Hashes of the UIDs of this part."""
        number, total = self.part
        edges = [(n << SHARD_BITS) // total for n in (number, number + 1)]
        return range(*edges)

    @property
    def query(self) -> dict[str, str]:
        """Parameters of every request. The server may select our part (KEP-5866); one that does not know the parameter
        ignores it."""
        query = {**self.params, **dict(REPRESENTATIONS[self.representation].params)}
        if self.part[1] > 1:
            low, high = self.hashes.start, self.hashes.stop
            query["shardSelector"] = f"shardRange(object.metadata.uid,'{low:#018x}','{high:#018x}')"
        return query
