"""Owners of series that several objects may have: a page has each series once, that of the first object."""

from __future__ import annotations

from collections.abc import Sequence


class UniqueSeries:
    """Series of the families whose labels need not tell objects apart. Not for several threads at once.

    Attributes:
        is_incomplete: a series that another object has as well was removed; a new state brings that of the other object.
    """

    def __init__(self, columns: Sequence[int]) -> None:
        """Make it for some families, given by their columns in the table."""
        self._columns = columns
        self._owners: dict[str, str] = {}
        self._owned: dict[str, set[str]] = {}
        self._contested: set[str] = set()
        self.is_incomplete = False

    def admit(self, key: str, texts: list[str]) -> list[str]:
        """Return the texts of an object without series that other objects have."""
        owned: set[str] = set()
        admitted = list(texts)
        for column in self._columns:
            if texts[column]:
                admitted[column] = "".join([f"{line}\n" for line in texts[column].split("\n")[:-1] if self._take(key, line, owned)])
        self._release(self._owned.get(key, set()) - owned)
        self._owned[key] = owned
        return admitted

    def forget(self, key: str) -> None:
        """Release the series of an object that is deleted."""
        self._release(self._owned.pop(key, set()))

    def _take(self, key: str, line: str, owned: set[str]) -> bool:
        """Return True if the object may have the series of a line."""
        series = line.rpartition(" ")[0]
        if self._owners.setdefault(series, key) == key:
            owned.add(series)
            return True
        self._contested.add(series)
        return False

    def _release(self, series: set[str]) -> None:
        for one in series:
            del self._owners[one]
            if one in self._contested:
                self._contested.discard(one)
                self.is_incomplete = True
