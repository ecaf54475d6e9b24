"""Blocks of a store with budgets: rows of objects that a budget has no room for are kept beside them, unpublished.

The unit is all rows of an object in one family. The first that come are shown. What is shown stays when it changes, unless it grows
beyond the room that is left. What is withheld waits in the order of arrival, and is shown when its rows fit.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from telegen.metrics.blocks import Blocks, Entry
from telegen.metrics.budgets import Account
from telegen.metrics.family import FamilyGenerator
from telegen.shm.layout import Withheld
from telegen.shm.writer import ArenaWriter

Rows = dict[int, int]
"""Number of rows of one object by column."""


def is_counted(family: FamilyGenerator) -> bool:
    """Return True if the rows of a column count: of the two columns of a counter with creation times, those of OpenMetrics, which are
    more. The other column precedes it."""
    return bool(family.header(openmetrics=True))


class Waiting:
    """Rows that are withheld, by object in the order of arrival."""

    def __init__(self) -> None:
        self._objects: dict[str, Rows] = {}
        self._sizes: dict[int, Counter[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._objects)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._objects))

    @property
    def columns(self) -> Iterable[int]:
        """Columns of which rows are withheld."""
        return list(self._sizes)

    def of(self, key: str) -> Rows:
        """Return the rows of an object that are withheld."""
        return self._objects.get(key, {})

    def set(self, key: str, column: int, rows: int) -> None:
        """Set the number of withheld rows of an object; one that waits already keeps its place."""
        known = self._objects.setdefault(key, {})
        before = known.pop(column, 0)
        sizes = self._sizes.setdefault(column, Counter())
        if before:
            sizes[before] -= 1
            if not sizes[before]:
                del sizes[before]
        if rows:
            known[column] = rows
            sizes[rows] += 1
        if not sizes:
            del self._sizes[column]
        if not known:
            del self._objects[key]

    def has(self, column: int) -> bool:
        """Return True if any object waits in a column."""
        return column in self._sizes

    def fits(self, column: int, room: int) -> bool:
        """Return True if any rows of a column are no more than `room`."""
        return room >= min(self._sizes.get(column, ()), default=room + 1)

    def series(self, column: int) -> int:
        """Return the number of rows of a column."""
        return sum(rows * objects for rows, objects in self._sizes.get(column, {}).items())

    def put_first(self, keys: Iterable[str]) -> None:
        """Move objects to the front."""
        first = {key: self._objects[key] for key in keys if key in self._objects}
        self._objects = {**first, **self._objects}


class GuardedBlocks(Blocks):
    """Blocks of what is shown, and beside them blocks of what is withheld."""

    def __init__(
        self,
        arena: ArenaWriter,
        families: Sequence[FamilyGenerator],
        block_objects: int,
        account: Account,
        before: Blocks | None = None,
    ) -> None:
        """Make empty blocks.

        Args:
            before: the state that these will replace: what it shows comes first.
        """
        super().__init__(arena, len(families), block_objects)
        self._names = [family.name for family in families]
        self._uncounted = {column for column, family in enumerate(families) if not is_counted(family)}
        self._hidden = Blocks(arena, len(families), block_objects)
        self._account, self._before = account, before if isinstance(before, GuardedBlocks) else None
        self._rows: dict[str, array[int]] = {}
        self._waiting = Waiting()
        self._late: list[tuple[str, int]] = []
        self._refused: Counter[str] = Counter()
        self._nothing = array("I", bytes(4 * len(families)))

    @property
    def dirty(self) -> bool:
        """True if an object changed since the last flush."""
        return super().dirty or self._hidden.dirty

    @property
    def stored_bytes(self) -> int:
        """Compressed size of all cells in bytes."""
        return super().stored_bytes + self._hidden.stored_bytes

    def upsert(self, key: str, version: str, texts: Sequence[str], group: str = "") -> None:
        """Add or replace an object; see `Blocks.upsert`."""
        if self._keeps_rows(key, version, texts):
            return
        self._decide(key, self._count(texts))
        hidden = self._waiting.of(key)
        super().upsert(key, version, self._part(texts, hidden, False) if hidden else texts, group)
        if hidden:
            self._hidden.upsert(key, version, self._part(texts, hidden, True))
        elif key in self._hidden:
            self._hidden.delete(key)

    def _keeps_rows(self, key: str, version: str, texts: Sequence[str]) -> bool:
        """Replace an object that is shown whole and keeps the number of its rows; return False, and change nothing, for any other.

        PERF: rows are counted in the columns that have changed: 1 us for 60 families, where all of them take 5.
        """
        rows = self._rows.get(key)
        if rows is None or self._waiting.of(key):
            return False
        slot = self._slots[key]
        digests, columns = self._compare(slot, version, texts)
        if any([texts[column].count("\n") != rows[column] for column in columns if column not in self._uncounted]):
            return False
        self._replace(slot, texts, digests, columns)
        return True

    def append(self, batch: Sequence[Entry]) -> None:
        """Add new objects; see `Blocks.append`."""
        counts = {entry[0]: self._count(entry[2]) for entry in batch}
        if self._takes_all(counts):
            self._rows.update({key: array("I", rows) for key, rows in counts.items()})
            super().append(batch)
            return
        for key, rows in counts.items():
            self._decide(key, rows)
        super().append([(key, version, self._part(texts, self._waiting.of(key), False), group) for key, version, texts, group in batch])
        hidden = [entry for entry in batch if self._waiting.of(entry[0])]
        entries = [(key, version, self._part(texts, self._waiting.of(key), True), "") for key, version, texts, _ in hidden]
        if len(hidden) == len(batch):
            self._hidden.append(entries)
            return
        # A block of their own for a few objects would cost the memory of a whole one.
        for entry in entries:
            self._hidden.upsert(*entry)

    def delete(self, key: str) -> bool:
        """Remove an object; see `Blocks.delete`."""
        rows = self._rows.pop(key, self._nothing)
        self._account.take({column: -count for column, count in enumerate(rows) if count})
        for column in list(self._waiting.of(key)):
            self._waiting.set(key, column, 0)
        self._hidden.delete(key)
        return super().delete(key)

    def flush(self) -> list[int]:
        """Write every cell that changed; see `Blocks.flush`."""
        # No index refers to these cells.
        self._arena.discard(self._hidden.flush())
        return super().flush()

    def extents(self) -> list[int]:
        """Return the extents of all cells."""
        return [*super().extents(), *self._hidden.extents()]

    def admit(self) -> None:
        """Show what fits now, in the order of arrival."""
        if self._before:
            self._waiting.put_first(self._before._waiting)
        admitted: dict[int, list[str]] = {}
        due = {column for column in self._waiting.columns if self._waiting.fits(column, self._account.room(column))}
        for key in self._waiting if due else ():
            for column, rows in list(self._waiting.of(key).items()) if due else ():
                if column not in due:
                    continue
                if self._account.take({column: rows}):
                    admitted.setdefault(column, []).append(key)
                    self._waiting.set(key, column, 0)
                    self._rows[key][column] = rows
                if not self._waiting.fits(column, self._account.room(column)):
                    due.discard(column)
        self._show(admitted)
        self._note_refused()

    def _note_refused(self) -> None:
        """Count what has come since the last call and still has to wait; what waited in the state before has been counted."""
        late, self._late = self._late, []
        for key, column in late:
            if not (self._before and self._before._waiting.of(key).get(column)):
                self._refused[self._names[column]] += self._waiting.of(key).get(column, 0)

    def settle(self) -> None:
        """Note that the last flush is published."""
        self._before = None
        self._account.settle()

    def close(self) -> None:
        """Give back the room of all objects."""
        self._account.close()

    def withheld(self) -> Mapping[str, Withheld]:
        """Return what is withheld, by family."""
        found: dict[str, Withheld] = {}
        for column in self._waiting.columns:
            one = found.setdefault(self._names[column], Withheld(0, self._account.tightest(column)))
            one.series += self._waiting.series(column)
        return found

    def take_refused(self) -> Mapping[str, int]:
        """Return the series that were withheld since the last call, by family."""
        refused, self._refused = self._refused, Counter()
        return refused

    def _count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of rows of each column."""
        rows = [text.count("\n") for text in texts]
        for column in self._uncounted:
            rows[column] = 0
        return rows

    def _takes_all(self, counts: Mapping[str, list[int]]) -> bool:
        """Take the room for new objects at once, if they have it and nothing else has to come first."""
        before = self._before
        if self._waiting or (before and any(before._rows.get(key) != array("I", rows) for key, rows in counts.items())):
            return False
        return self._account.take(dict(enumerate(map(sum, zip(*counts.values())))))

    def _decide(self, key: str, rows: list[int]) -> None:
        """Take the room for the rows of an object, or withhold those of the columns that have none."""
        shown, waits = self._rows.get(key, self._nothing), self._waiting.of(key)
        changes = {column: rows[column] - count for column, count in enumerate(shown) if rows[column] != count and column not in waits}
        hidden = {column for column in changes if not shown[column] and self._comes_late(key, column)}
        wanted = {column: change for column, change in changes.items() if column not in hidden}
        if not self._account.take(wanted):
            # What shrinks makes room for what grows.
            for column, change in sorted(wanted.items(), key=lambda item: item[1]):
                if not self._account.take({column: change}):
                    self._account.take({column: -shown[column]})
                    hidden.add(column)
        self._late += [(key, column) for column in hidden]
        self._rows[key] = now = array("I", rows)
        for column in hidden.union(waits):
            now[column] = 0
            self._waiting.set(key, column, rows[column])

    def _comes_late(self, key: str, column: int) -> bool:
        """Return True if other rows of the column have to come first: those that are on the page, else those that wait."""
        if self._before:
            return not self._before._rows.get(key, self._nothing)[column]
        return self._waiting.has(column)

    def _part(self, texts: Sequence[str], hidden: Mapping[int, int], is_hidden: bool) -> list[str]:
        """Return the texts that are hidden, or those that are not, each in its column."""
        columns = {twin for column in hidden for twin in self._twins(column)}
        return [text if (column in columns) == is_hidden else "" for column, text in enumerate(texts)]

    def _twins(self, column: int) -> list[int]:
        """Return the columns whose rows are shown together."""
        return [column - 1, column] if column - 1 in self._uncounted else [column]

    def _show(self, admitted: Mapping[int, list[str]]) -> None:
        """Move texts of objects, by column, from the hidden blocks to the others."""
        for column, keys in admitted.items():
            for twin in self._twins(column):
                for key, text in self._hidden.texts(twin, keys).items():
                    self.put(twin, key, text)
                    self._hidden.put(twin, key, "")
        for key in {key for keys in admitted.values() for key in keys if not self._waiting.of(key)}:
            self._hidden.delete(key)
