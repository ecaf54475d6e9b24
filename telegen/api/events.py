"""From lines of a watch, or pages of a list, to the objects that concern one collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from telegen.api import salvage
from telegen.api.collection import Collection
from telegen.api.decoding import CHANGES, FAILURES, event_decoder, list_decoder, peek, without_last_applied
from telegen.api.errors import ApiError, ProtocolError, api_error
from telegen.api.protocols import Event, ReflectorObserver
from telegen.api.representation import REPRESENTATIONS, Object, Rows

INITIAL_END = "k8s.io/initial-events-end"
"""Annotation of the bookmark that ends a streamed list (KEP-3157)."""


class EventReader:
    """Reader of the answers on one connection: the columns of a Table are named only once there.

    Attributes:
        page_bytes: size of the last page.
    """

    def __init__(self, collection: Collection, observer: ReflectorObserver) -> None:
        self._observer = observer
        self._takes, self._is_divided = collection.takes(), collection.divided
        self._is_table = REPRESENTATIONS[collection.representation].table
        self._decode, self._decode_list = event_decoder(collection.reads), list_decoder(collection.reads)
        self._rows = Rows()
        self.page_bytes = 0

    def events(self, lines: Iterable[bytes]) -> Iterator[Event]:
        """Events of a watch whose objects belong to the collection, and bookmarks.

        Raises:
            ApiError: an ERROR event.
            ProtocolError: a line is not an event.
        """
        # PERF: this loop and decoding are all that an event costs before it is rendered: 20 us for 10 kB.
        is_divided, decode = self._is_divided, self._decode
        for line in lines:
            self._observer.event(len(line))
            if is_divided and not self._may_be_ours(line):
                continue
            try:
                kind, obj = decode(line)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                kind, obj = self._salvage_event(line, error)
            if kind == "ERROR":
                raise _status(obj)
            if kind == "BOOKMARK":
                yield kind, obj
            elif kind not in CHANGES:
                self._observer.failed("unknown_event", f"ignored an event of type {kind!r}", 0.0)
            elif self._is_table:
                yield from ((kind, without_last_applied(row)) for row in self._rows.objects(obj) if self._is_ours(row))
            elif self._is_object(obj):
                yield kind, without_last_applied(obj)

    def _salvage_event(self, line: bytes, reason: Exception) -> tuple[str, Any]:
        """Decode an event that the fast decoder refuses.

        An object that cannot be decoded at all is left out; if the store has an older version of it, that is removed.

        Raises:
            ProtocolError: the line is not an event.
        """
        try:
            event = salvage.decode(line)
            return event["type"], event["object"]
        except (salvage.Malformed, KeyError, TypeError):
            found = salvage.metadata(line, "object")
        if not found.get("uid"):
            raise ProtocolError(f"a line is not an event: {reason}") from reason
        self._observer.malformed(_name(found), str(reason))
        return "DELETED", {"metadata": found}

    def page(self, data: bytes) -> Object:
        """Decode a page of a list; objects that cannot be decoded are left out.

        Raises:
            ProtocolError: the bytes are not a list.
        """
        self.page_bytes = len(data)
        try:
            page = self._decode_list(data)
        except (ValueError, RecursionError):
            try:
                page, malformed = salvage.decode_list(data)
            except salvage.Malformed as error:
                raise ProtocolError(f"an answer is not a list: {error}") from error
            for item in malformed:
                path = ("object",) if self._is_table else ()
                self._observer.malformed(_name(salvage.metadata(item, *path)), "its JSON cannot be decoded")
        if not isinstance(page, dict):
            raise ProtocolError("a list is not an object")
        return page

    def objects(self, page: Object, most: int) -> tuple[list[Object], int]:
        """The first `most` objects of a page that belong to the collection, and the number of objects in the page.

        Raises:
            ProtocolError: a row of a Table is malformed.
        """
        found = list(self._rows.objects(page) if self._is_table else page.get("items") or ())
        return [without_last_applied(obj) for obj in found[:most] if self._is_ours(obj)], len(found)

    def metadata(self, obj: Any) -> dict[str, Any]:
        """The metadata of a bookmark. In a watch of Tables, it is that of the one row.

        Raises:
            ProtocolError: there is none.
        """
        if isinstance(obj, dict) and self._is_table and obj.get("rows"):
            obj = obj["rows"][0].get("object")
        metadata = obj.get("metadata") if isinstance(obj, dict) else None
        if not isinstance(metadata, dict):
            raise ProtocolError("a bookmark has no metadata")
        return metadata

    def _may_be_ours(self, line: bytes) -> bool:
        """True if an event has to be decoded. PERF: 4 us for an object of another shard instead of 25."""
        if self._is_table:
            return True
        try:
            event = peek(line)
        except FAILURES:
            return True
        uid = event.object.metadata.uid
        return not uid or event.type not in CHANGES or self._takes(uid)

    def _is_ours(self, obj: Any) -> bool:
        """True if an object belongs to the collection."""
        return self._is_object(obj) and (not self._is_divided or self._takes(obj["metadata"]["uid"]))

    def _is_object(self, obj: Any) -> bool:
        """True if an object has what a store needs; the others are counted and left out."""
        metadata = obj.get("metadata") if isinstance(obj, dict) else None
        if isinstance(metadata, dict) and isinstance(metadata.get("uid"), str) and metadata["uid"]:
            return True
        self._observer.malformed(_name(metadata if isinstance(metadata, dict) else {}), "it has no metadata.uid")
        return False


def _name(metadata: dict[str, Any]) -> str:
    """Namespace and name for a log line."""
    return "/".join(str(metadata[key]) for key in ("namespace", "name") if metadata.get(key)) or "an object without a name"


def _status(obj: Any) -> ApiError:
    """The error of an ERROR event."""
    status = obj if isinstance(obj, dict) else {}
    code = status.get("code")
    return api_error(
        code if isinstance(code, int) else 500, str(status.get("reason") or ""), str(status.get("message") or "")
    )
