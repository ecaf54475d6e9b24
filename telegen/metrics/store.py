"""The store of one resource: four verbs in, one publication out.

It stands where client-go has an object cache, but keeps rendered text (see `pages`), never the objects.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from telegen.metrics.family import FamilyGenerator, Object
from telegen.metrics.blocks import Pages
from telegen.metrics.render import Render
from telegen.shm.layout import FamilyEntry, pack_index, schema_encoder
from telegen.shm.writer import ArenaWriter

PAGE_OBJECTS = 64
"""Objects per page. PERF: see docs/design.md for 64 against 128 and 256."""


def uid(obj: Object) -> str:
    """The key of a Kubernetes object: metadata.uid."""
    return obj["metadata"]["uid"]  # type: ignore[no-any-return]


def resource_version(obj: Object) -> str:
    """The version of a Kubernetes object: metadata.resourceVersion, "" when it has none or it is no string."""
    version = obj["metadata"].get("resourceVersion")
    return version if isinstance(version, str) else ""


def encode_schema(families: Sequence[FamilyGenerator]) -> bytes:
    """The headers of a table, as the arena carries them."""
    entries = [FamilyEntry(family.name, family.header(), family.header(openmetrics=True)) for family in families]
    return schema_encoder.encode(entries)


class Store:
    """Rendered objects of one resource. Safe for the reflector's thread and the flusher's.

    Nothing is published before the first `replace` has gone through; from then on each `flush` publishes what changed
    since.
    """

    def __init__(
        self,
        name: str,
        families: Sequence[FamilyGenerator],
        render: Render,
        arena: ArenaWriter,
        order: int = 0,
        page_objects: int = PAGE_OBJECTS,
        on_change: Callable[[], None] = lambda: None,
        key: Callable[[Object], str] = uid,
        version: Callable[[Object], str] = resource_version,
    ) -> None:
        """Make an empty, unpublished store.

        Args:
            name: its name in the arena, unique there.
            families: the table that `render` was prepared from.
            order: place of its families on the page, among the stores.
            on_change: called, from the caller's thread, when a flush has become due.
            key, version: read from an object what it is and in which state.
        """
        self.name = name
        self._schema = encode_schema(families)
        self._width = len(families)
        self._render, self._arena, self._order, self._page_objects = render, arena, order, page_objects
        self._on_change, self._key, self._version = on_change, key, version
        self._lock = threading.Lock()
        self._pages = self._new_pages()
        self.synced = False

    def __len__(self) -> int:
        """How many objects are held."""
        return len(self._pages)

    @property
    def page_count(self) -> int:
        """How many pages are held."""
        return self._pages.page_count

    @property
    def stored_bytes(self) -> int:
        """Bytes of shared memory that the pages take, compressed."""
        return self._pages.stored_bytes

    def replace(self, events: Iterable[tuple[str, Object]]) -> None:
        """Take a whole new state and publish it at once.

        Args:
            events: (ADDED, MODIFIED or DELETED, object), consumed lazily. What it raises ends the call and leaves the
            store as it was.
        """
        pages = self._new_pages()
        try:
            self._fill(pages, events)
            pages.flush()
        except BaseException:
            pages.release(self._arena.discard)
            raise
        with self._lock:
            self._pages.release(self._arena.free)
            self._pages = pages
            self.synced = True
            self._publish()

    def begin(self) -> None:
        """Publish what was upserted so far as the whole state: for a source that has no list to replace it by."""
        with self._lock:
            self._pages.flush()
            self.synced = True
            self._publish()

    def upsert(self, obj: Object) -> None:
        """Add or update one object; visible after the next flush."""
        key, version = self._key(obj), self._version(obj)
        if self._pages.unchanged(key, version):
            return
        texts = self._render(obj)
        with self._lock:
            self._pages.upsert(key, version, texts)
            due = self._pages.dirty
        if due:
            self._on_change()

    def delete(self, obj: Object) -> None:
        """Remove one object; its series are gone after the next flush."""
        with self._lock:
            self._pages.delete(self._key(obj))
            due = self._pages.dirty
        if due:
            self._on_change()

    def bookmark(self, resource_version: str) -> None:
        """Nothing has changed up to `resource_version`: nothing to do."""

    def flush(self) -> bool:
        """Publish what changed since the last flush; False when nothing did."""
        with self._lock:
            if not (self.synced and self._pages.dirty):
                return False
            self._pages.flush()
            self._publish()
            return True

    def _fill(self, pages: Pages, events: Iterable[tuple[str, Object]]) -> None:
        """Put a whole state into empty pages: new objects a page at a time, what changes meanwhile one by one."""
        batch: dict[str, tuple[str, str, list[str]]] = {}
        for kind, obj in events:
            key = self._key(obj)
            if kind == "DELETED":
                batch.pop(key, None)
                pages.delete(key)
                continue
            version, texts = self._version(obj), self._render(obj)
            if key in pages:
                pages.upsert(key, version, texts)
                continue
            batch[key] = (key, version, texts)
            if len(batch) == self._page_objects:
                pages.append(list(batch.values()))
                batch = {}
        if batch:
            pages.append(list(batch.values()))

    def _new_pages(self) -> Pages:
        return Pages(self._arena, self._width, self._page_objects)

    def _publish(self) -> None:
        index = pack_index(self._pages.columns())
        self._arena.publish(self.name, index, self._schema, len(self._pages), self._order)
