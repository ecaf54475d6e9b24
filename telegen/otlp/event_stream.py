"""Stream of events: the store of a reflector that passes each occurrence on once.

Versions of one API server grow with time, so an event is newer than another if its resourceVersion is greater.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from telegen.otlp.event_records import Occurrence, occurrence

REMEMBERED = 10_000
"""Events whose last occurrence is remembered, so that an update of nothing but a label is no new one."""


class EventStream:
    """Passes on the occurrences that are newer than a position."""

    def __init__(
        self, position: int, accept: Callable[[dict[str, Any], int], None], begin: Callable[[int], None] = lambda position: None
    ) -> None:
        """Prepare.

        Args:
            position: resourceVersion up to which everything was sent; 0 sends nothing of the first state.
            accept: called with each event to send, and its resourceVersion.
            begin: called with the position after a first state of which nothing is sent.
        """
        self._position, self._accept, self._begin = position, accept, begin
        self._known: OrderedDict[str, Occurrence] = OrderedDict()

    def replace(self, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Take a complete state: pass on what is newer than the position, in the order in which it happened."""
        newer, newest = [], self._position
        for kind, event in events:
            version = version_of(event)
            newest = max(newest, version)
            if self._position and version > self._position and kind != "DELETED":
                newer.append((version, event))
            else:
                self._note(event)
        if not self._position:
            self._begin_at(newest)
        self._position = newest
        for version, event in sorted(newer, key=lambda item: item[0]):
            self._pass_on(event, version)

    def upsert(self, event: dict[str, Any]) -> None:
        """Pass on a new event, or a new occurrence of a known one."""
        # A watch delivers nothing twice. Versions may be lower than before if etcd was restored from a backup.
        self._position = version_of(event) or self._position
        self._pass_on(event, self._position)

    def delete(self, event: dict[str, Any]) -> None:
        """Forget an event: it has expired."""
        self._known.pop(_uid(event), None)

    def bookmark(self, resource_version: str) -> None:
        """Begin at this version if there was no event; else the position is that of the last one."""
        if not self._position and resource_version.isdecimal():
            self._begin_at(int(resource_version))

    def _begin_at(self, position: int) -> None:
        self._position = position
        if position:
            self._begin(position)

    def _pass_on(self, event: dict[str, Any], version: int) -> None:
        if self._known.get(_uid(event)) != occurrence(event):
            self._note(event)
            self._accept(event, version)

    def _note(self, event: dict[str, Any]) -> None:
        uid = _uid(event)
        self._known.pop(uid, None)
        self._known[uid] = occurrence(event)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def version_of(event: dict[str, Any]) -> int:
    """Return the resourceVersion of an event as a number; 0 if it is none."""
    text = event["metadata"].get("resourceVersion")
    return int(text) if isinstance(text, str) and text.isdecimal() else 0


def _uid(event: dict[str, Any]) -> str:
    return str(event["metadata"].get("uid") or "")
