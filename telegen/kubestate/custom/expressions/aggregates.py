"""Aggregates over the objects of a kind: sums, counts and extremes by group, kept by the changes of single objects."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Union

from telegen.metrics.family import Generate, Number, Object

MAX_GROUPS, MAX_TEXT = 1000, 64 << 10
"""Groups of one aggregate that one object may be part of, and characters of their labels: they are kept for each object."""
SHARED_PARTS, SHARED_TEXT = 4096, 256
"""Parts that are kept once, and characters of the labels of the longest of them: a tenant's labels may be of any length."""
_BITS = 1074
"""Binary digits after the point of the smallest float."""

Labels = tuple[str, ...]
"""Values of the labels of a group."""
Part = tuple[tuple[Labels, Number], ...]
"""Numbers that one object adds to the groups of one aggregate."""
Contribution = tuple[Part, ...]
"""Parts of one object, one per aggregate."""

NOTHING: Contribution = ()
"""Contribution of an object that is not there."""


class Sum:
    """Exact sum of numbers that come and go: floats that are added and subtracted would leave a rest."""

    def __init__(self) -> None:
        self._integers = self._fractions = self._members = 0

    def __bool__(self) -> bool:
        return self._members > 0

    def add(self, number: Number, times: int = 1) -> None:
        """Add a number, or with -1 remove it. PERF: 0.2 us for an integer, 0.6 for a float."""
        self._members += times
        if isinstance(number, float):
            numerator, denominator = number.as_integer_ratio()
            self._fractions += times * (numerator << (_BITS + 1 - denominator.bit_length()))
        else:
            self._integers += times * number

    @property
    def value(self) -> Number:
        """The sum; an infinity if no float is that large."""
        if not self._fractions:
            return self._integers
        total = (self._integers << _BITS) + self._fractions
        try:
            return total / (1 << _BITS)
        except OverflowError:
            return math.copysign(math.inf, total > 0 or -1)


class Minimum:
    """Smallest of numbers that come and go: a heap from which those that have gone are dropped when they reach its top."""

    sign = 1

    def __init__(self) -> None:
        self._counts: Counter[Number] = Counter()
        self._heap: list[Number] = []

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, number: Number, times: int = 1) -> None:
        """Add a number, or with -1 remove it. PERF: 0.7 us."""
        number *= self.sign
        if times > 0 and number not in self._counts:
            heapq.heappush(self._heap, number)
        self._counts[number] += times
        if not self._counts[number]:
            del self._counts[number]
        if len(self._heap) > 2 * len(self._counts) + 16:
            self._heap = sorted(self._counts)

    @property
    def value(self) -> Number:
        """The smallest number; there must be one."""
        while self._heap[0] not in self._counts:
            heapq.heappop(self._heap)
        return self._heap[0] * self.sign


class Maximum(Minimum):
    """Largest of numbers that come and go."""

    sign = -1


Function = Callable[[Iterable[Number]], Number]


def _sum(numbers: Iterable[Number]) -> Number:
    found = list(numbers)
    return math.fsum(found) if any(isinstance(number, float) for number in found) else int(sum(found))


FUNCTIONS: Mapping[str, tuple[Function, Callable[[], Union[Sum, Minimum]]]] = {
    "sum": (_sum, Sum),
    "count": (_sum, Sum),
    "min": (min, Minimum),
    "max": (max, Maximum),
}
"""Function of the numbers of one object in a group, and state of a group, by name of the aggregate."""


class Aggregate(NamedTuple):
    """One aggregate of a kind.

    Attributes:
        name: of its family.
        function: a key of `FUNCTIONS`.
        generate: from an object to rows of (values of the labels..., number).
    """

    name: str
    function: str
    generate: Generate


class Aggregates:
    """The aggregates of a kind. For one thread at a time, `contribution` excepted."""

    def __init__(self, aggregates: Sequence[Aggregate], on_error: Callable[[str, Exception], None]) -> None:
        """Begin without objects.

        Args:
            on_error: called with the name of a family and the error of one object, which is left out of that family.
        """
        self._aggregates, self._on_error = aggregates, on_error
        self._groups: list[dict[Labels, Union[Sum, Minimum]]] = [{} for _ in aggregates]
        self._changed: dict[tuple[int, Labels], None] = {}
        self._shared: dict[Part, Part] = {}

    def __len__(self) -> int:
        """Return the number of groups of all aggregates."""
        return sum(map(len, self._groups))

    def contribution(self, obj: Object) -> Contribution:
        """Return the numbers that an object adds to each group."""
        return tuple([self._part(aggregate, obj) for aggregate in self._aggregates])

    def _part(self, aggregate: Aggregate, obj: Object) -> Part:
        try:
            part = _part(aggregate, obj)
        except Exception as error:
            # As in the renderer: a malformed object costs this family only.
            self._on_error(aggregate.name, error)
            return ()
        if len(part) != 1 or sum(map(len, part[0][0])) > SHARED_TEXT:
            return part
        # PERF: aggregates of one value, and objects with equal values, share their parts: 0.4 kB for four aggregates of an object, not 0.9.
        if len(self._shared) > SHARED_PARTS:
            self._shared.clear()
        return self._shared.setdefault(part, part)

    def change(self, before: Contribution, after: Contribution) -> bool:
        """Replace the contribution of an object; return False if nothing has changed."""
        is_changed = False
        for number, groups in enumerate(self._groups):
            old, new = before[number] if before else (), after[number] if after else ()
            if old != new:
                is_changed = True
                self._change(number, groups, old, new)
        return is_changed

    def _change(self, number: int, groups: dict[Labels, Union[Sum, Minimum]], old: Part, new: Part) -> None:
        make = FUNCTIONS[self._aggregates[number].function][1]
        for labels, value in new:
            if labels not in groups:
                groups[labels] = make()
            groups[labels].add(value)
            self._changed[number, labels] = None
        for labels, value in old:
            groups[labels].add(value, -1)
            self._changed[number, labels] = None
            if not groups[labels]:
                del groups[labels]

    def take_changes(self) -> list[Object]:
        """Return the groups that have changed since the last call as objects (see `group_object`), without a row if they have gone."""
        changed, self._changed = self._changed, {}
        return [self._object(number, labels) for number, labels in changed]

    def objects(self) -> Iterator[Object]:
        """Yield all groups as objects."""
        for number, groups in enumerate(self._groups):
            for labels in groups:
                yield self._object(number, labels)

    def _object(self, number: int, labels: Labels) -> Object:
        group = self._groups[number].get(labels)
        return group_object(self._aggregates[number].name, labels, group.value if group else None)


def group_object(family: str, labels: Labels, value: Union[Number, None]) -> Object:
    """Return a group as an object for a table: the one row of one family, None for a group that has gone."""
    return {"metadata": {"uid": repr((family, *labels))}, "family": family, "row": None if value is None else (*labels, value)}


def row_reader(family: str, labels: Labels) -> Generate:
    """Return the generate function of a family of groups.

    Args:
        labels: values of labels that precede those of the group.
    """
    return lambda obj: [(*labels, *obj["row"])] if obj["family"] == family else None


def _part(aggregate: Aggregate, obj: Object) -> Part:
    """Return the numbers that an object adds to the groups; those that are not finite are left out.

    Raises:
        ValueError: the object would be part of too many groups, or their labels are too long.
    """
    rows: Any = aggregate.generate(obj)
    if len(rows) == 1:
        # PERF: most objects have one row: 1.5 us less.
        ((*only, value),) = rows
        _check_text(only)
        return ((tuple(only), value),) if math.isfinite(value) else ()
    found: dict[Labels, list[Number]] = {}
    for *labels, number in rows:
        if math.isfinite(number):
            found.setdefault(tuple(labels), []).append(number)
    if len(found) > MAX_GROUPS:
        raise ValueError(f"the object is part of {len(found)} groups; at most {MAX_GROUPS} are kept; choose labels with fewer values")
    _check_text([label for group in found for label in group])
    function = FUNCTIONS[aggregate.function][0]
    return tuple([(labels, function(numbers)) for labels, numbers in found.items()])


def _check_text(labels: Iterable[str]) -> None:
    """Check the characters of labels.

    Raises:
        ValueError: there are too many.
    """
    if sum(map(len, labels)) > MAX_TEXT:
        raise ValueError(f"the labels of the object's groups have more than {MAX_TEXT} characters; choose shorter ones")
