"""Interface of the indexes of pods and namespaces, which reflectors feed."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Protocol

from telegen.metrics.family import Object


class NameIndex(Protocol):
    """Store of a reflector that keeps names of objects."""

    @property
    def synced(self) -> threading.Event:
        """Set after the first complete list."""

    def __len__(self) -> int:
        """Return the number of objects."""

    def replace(self, events: Iterable[tuple[str, Object]]) -> None:
        """Replace the whole state."""

    def upsert(self, obj: Object) -> None:
        """Add or replace an object."""

    def delete(self, obj: Object) -> None:
        """Remove an object."""

    def bookmark(self, resource_version: str) -> None:
        """Take a bookmark."""
