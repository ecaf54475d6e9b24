"""Number of series that each process holds under each budget, in memory that all of them share."""

from __future__ import annotations

import fcntl
import hashlib
import threading
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from telegen.shm.region import Region

NAMES = 8192
"""Largest number of budgets. Further ones share the last one: their series are withheld too early, never too late."""
_HEAD, _DIGESTS = 3 * 4096, 8 * NAMES
_ROW = 4 * NAMES
_NAMES_USED, _ROWS_USED, _FIRST = 0, 1, 2


class SeriesLedger(Region):
    """Counts by process and budget. A process changes its own row alone, so its death leaves no sum wrong.

    The lock is one of the file (fcntl(2), F_SETLK): the kernel releases it when its holder dies.

        offset  size
        0       12288      number of names, number of rows that were ever used, and these rows
        12288   8 * NAMES  digests of the budgets' names
        ...     4 * NAMES  counts of the first process, and so on; last, 1 for each budget that has been warned of
    """

    def __init__(self, rows: int) -> None:
        """Make an empty ledger whose first budget is that of all series."""
        super().__init__("series", _HEAD + _DIGESTS + (rows + 1) * _ROW)
        self._memory[:4] = (1).to_bytes(4, "little")
        self._rows = rows

    def forget(self, row: int) -> None:
        """Clear the row of a process that has ended for good. Without limits no row is used, and none takes memory."""
        rows = array("I", self._memory[:_HEAD])
        if row in rows[_FIRST : _FIRST + rows[_ROWS_USED]]:
            start = _HEAD + _DIGESTS + row * _ROW
            self._memory[start : start + _ROW] = bytes(_ROW)


class LedgerRow:
    """The row of this process, for any of its threads. It has the counts of the predecessor of this process until `begin`.

    The ledger cannot be closed while it exists.
    """

    def __init__(self, ledger: SeriesLedger, row: int) -> None:
        # The region closes its file when it is no longer used.
        self._ledger, self._fd = ledger, ledger._fd
        view = memoryview(ledger._memory)
        self._head = view[:_HEAD].cast("I")
        self._digests = view[_HEAD : _HEAD + _DIGESTS].cast("Q")
        self._counts = view[_HEAD + _DIGESTS :].cast("I")
        self._start, self._warned = row * NAMES, ledger._rows * NAMES
        self._thread_lock = threading.Lock()
        with self.locked():
            used = self._head[_ROWS_USED]
            if row not in self._head[_FIRST : _FIRST + used]:
                self._head[_FIRST + used] = row
                self._head[_ROWS_USED] = used + 1

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all other threads and processes from changes. PERF: 5 us."""
        with self._thread_lock:
            fcntl.lockf(self._fd, fcntl.LOCK_EX, 1)
            try:
                yield
            finally:
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1)

    def begin(self, counts: Mapping[int, int]) -> None:
        """Replace all counts at once: between two steps other processes would take the room of what is still served."""
        row = array("I", bytes(_ROW))
        for number, count in counts.items():
            row[number] = count
        with self.locked():
            self._counts[self._start : self._start + NAMES] = memoryview(row)

    def number(self, name: str) -> int:
        """Return the number of a budget, the same in all processes."""
        digest = int.from_bytes(hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest(), "little")
        with self.locked():
            used = self._head[_NAMES_USED]
            known = self._digests[:used].tolist()
            if digest in known:
                return known.index(digest)
            if used == NAMES:
                return NAMES - 1
            self._digests[used] = digest
            self._head[_NAMES_USED] = used + 1
            return used

    def sum(self, number: int) -> int:
        """Return the series of all processes under a budget."""
        counts, head = self._counts, self._head
        return sum([counts[row * NAMES + number] for row in head[_FIRST : _FIRST + head[_ROWS_USED]]])

    def add(self, number: int, change: int) -> None:
        """Change the count of this process."""
        self._counts[self._start + number] += change

    def note_warned(self, number: int, warned: bool) -> bool:
        """Note whether a budget has been warned of; return True if that is new, in one process only."""
        place = self._warned + number
        if self._counts[place] == warned:
            return False
        with self.locked():
            changes = self._counts[place] != warned
            self._counts[place] = warned
        return changes
