"""Sync status of stores, in memory that is inherited over fork: workers write it, web workers read it."""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from telegen.shm.region import Region

ROW = 256
"""Bytes of a store: since when it is out of sync, times of the first answer and of the last refusal, kind, length of the cause, cause."""
CAUSE_BYTES = 224
"""The longest cause, in bytes of UTF-8; a longer one is cut."""
_SINCE = struct.Struct("<Q")
_ACCEPTED, _REFUSED, _KIND, _LENGTH, _CAUSE = 8, 16, 24, 25, 26


class Kind(IntEnum):
    """Outcome of the last request."""

    UNKNOWN = 0
    """Nothing was requested yet."""
    SYNCED = 1
    WAITING = 2
    """The API server has not answered yet."""
    FAILED = 3
    REFUSED = 4
    """The account lacks the right (403)."""
    ABSENT = 5
    """The API server lacks the resource (404), which is normal for one of another version."""


REFUSALS = (Kind.REFUSED, Kind.ABSENT)


@dataclass(frozen=True)
class Status:
    """Status of a store at one moment.

    Attributes:
        kind: outcome of the last request.
        seconds: time since the last answer or event; 0 while the store is in sync.
        cause: reason of a failure or refusal, else "".
        accepted: time of the first answer, refused: of the last refusal, in seconds of CLOCK_MONOTONIC; 0 for none.
    """

    kind: Kind = Kind.UNKNOWN
    seconds: float = 0.0
    cause: str = ""
    accepted: float = 0.0
    refused: float = 0.0


class StoreStatus:
    """Row of one store. One thread writes at a time; any number of processes read without a lock.

    A reader may see the new kind with the old cause or the old time: a probe is repeated, so that does no harm.
    Times are nanoseconds of CLOCK_MONOTONIC, which all processes share.
    """

    def __init__(self, memory: mmap.mmap | None = None, number: int = 0) -> None:
        """Use a row of shared memory; without `memory` a row that only this process sees."""
        self._memory: mmap.mmap | bytearray = memory or bytearray(ROW)
        self._start = number * ROW

    def note_synced(self) -> None:
        """Note an answer or an event. PERF: 1 us; called at most once a second while events arrive."""
        if not _SINCE.unpack_from(self._memory, self._start + _ACCEPTED)[0]:
            self._put(_ACCEPTED, _SINCE.pack(time.monotonic_ns()))
        self._put(_KIND, bytes((Kind.SYNCED, 0)))
        self._put(0, _SINCE.pack(0))

    def note_waiting(self) -> None:
        """Note that an answer is awaited. A failure or a refusal stays until there is one."""
        if self._memory[self._start + _KIND] in (Kind.UNKNOWN, Kind.SYNCED):
            self._begin(Kind.WAITING, "no answer yet")

    def note_failed(self, cause: str) -> None:
        """Note that a request or a stream failed."""
        self._begin(Kind.FAILED, cause)

    def note_refused(self, cause: str, kind: Kind = Kind.REFUSED) -> None:
        """Note that the collection may not be listed or, as `Kind.ABSENT`, that it does not exist."""
        self._put(_REFUSED, _SINCE.pack(time.monotonic_ns()))
        self._begin(kind, cause)

    def clear(self) -> None:
        """Return to "unknown"."""
        self._put(0, bytes(ROW))

    def read(self) -> Status:
        """Return the status."""
        row = self._memory[self._start : self._start + ROW]
        since = int(_SINCE.unpack_from(row)[0])
        seconds = max(0.0, (time.monotonic_ns() - since) / 1e9) if since else 0.0
        accepted, refused = (_SINCE.unpack_from(row, offset)[0] / 1e9 for offset in (_ACCEPTED, _REFUSED))
        cause = row[_CAUSE : _CAUSE + row[_LENGTH]].decode("utf-8", "ignore")
        return Status(Kind(row[_KIND]), seconds, cause, accepted, refused)

    def _begin(self, kind: Kind, cause: str) -> None:
        """Note that the store is out of sync; the time of the first such note since the last success stays."""
        if not _SINCE.unpack_from(self._memory, self._start)[0]:
            self._put(0, _SINCE.pack(time.monotonic_ns()))
        # One line of printable characters: the cause of a failure may quote what a server sent.
        text = "".join(char if char.isprintable() else "?" for char in " ".join(cause.split())).encode("utf-8", "replace")
        self._put(_CAUSE, text[:CAUSE_BYTES])
        self._put(_KIND, bytes((kind, min(len(text), CAUSE_BYTES))))

    def _put(self, offset: int, data: bytes) -> None:
        # One assignment: struct.pack_into fills with zeros first, which a reader could see.
        start = self._start + offset
        self._memory[start : start + len(data)] = data


class StoreStatuses(Region):
    """The rows of one worker's stores."""

    def __init__(self, stores: Sequence[str]) -> None:
        super().__init__("statuses", max(1, len(stores)) * ROW)
        self._stores = tuple(stores)
        self._rows = self._make_rows()

    def protect(self) -> None:
        """See `Region.protect`."""
        # The rows hold the writable mapping.
        self._rows = {}
        super().protect()
        self._rows = self._make_rows()

    def _make_rows(self) -> dict[str, StoreStatus]:
        return {store: StoreStatus(self._memory, number) for number, store in enumerate(self._stores)}

    def __getitem__(self, store: str) -> StoreStatus:
        return self._rows[store]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def clear(self) -> None:
        """Return all stores to "unknown"."""
        for row in self._rows.values():
            row.clear()
