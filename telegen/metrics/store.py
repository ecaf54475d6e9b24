"""Store of one resource: takes replace, upsert, delete and bookmark, and publishes snapshots in shared memory.

It stands where client-go has an object cache, but keeps rendered text (see `blocks`), never the objects.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from telegen.metrics.blocks import Blocks, Entry
from telegen.metrics.budgets import Budgets
from telegen.metrics.family import FamilyGenerator, Object
from telegen.metrics.guarded_blocks import GuardedBlocks
from telegen.metrics.render import Render
from telegen.metrics.unique import UniqueSeries
from telegen.shm.layout import FamilyEntry, pack_index, schema_encoder
from telegen.shm.writer import ArenaWriter

BLOCK_OBJECTS = 64
"""Objects per block. PERF: see docs/design.md for 64 against 128 and 256."""

GATHERED = 16
"""Blocks that are filled at once from a list. The API server lists by namespace; a cache or a merge of lists may not. PERF: 1,024 pods
are 12 MB of text, for the moment of the sync; a scrape of one namespace of 50 then reads a tenth of the blocks in any order of the list."""


def uid(obj: Object) -> str:
    """Return the key of a Kubernetes object: metadata.uid."""
    return obj["metadata"]["uid"]  # type: ignore[no-any-return]


def resource_version(obj: Object) -> str:
    """Return metadata.resourceVersion, "" if it is absent or no string."""
    version = obj["metadata"].get("resourceVersion")
    return version if isinstance(version, str) else ""


def namespace(obj: Object) -> str:
    """Return metadata.namespace, "" if it is absent or no string."""
    name = obj["metadata"].get("namespace")
    return name if isinstance(name, str) else ""


def encode_schema(families: Sequence[FamilyGenerator]) -> bytes:
    """Encode the headers of a table for the arena."""
    entries = [FamilyEntry(family.name, family.header(), family.header(openmetrics=True)) for family in families]
    return schema_encoder.encode(entries)


class MetricsStore:
    """Rendered objects of one resource, safe for the threads of a reflector and a flusher.

    Nothing is published before the first `replace` is complete: readers never see a part of a list. From then on each
    `flush` publishes the changes since the last one.
    """

    def __init__(
        self,
        name: str,
        families: Sequence[FamilyGenerator],
        render: Render,
        arena: ArenaWriter,
        order: int = 0,
        block_objects: int = BLOCK_OBJECTS,
        on_change: Callable[[], None] = lambda: None,
        key: Callable[[Object], str] = uid,
        version: Callable[[Object], str] = resource_version,
        group: Callable[[Object], str] | None = None,
        predecessor: MetricsStore | None = None,
        budgets: Budgets | None = None,
    ) -> None:
        """Make an empty, unpublished store.

        Args:
            name: its name in the arena, unique there.
            families: the table that `render` was made from.
            order: position of its families on the page, among the stores.
            block_objects: number of objects per block.
            on_change: called, from the caller's thread, when a flush has become due.
            key: reads the identity of an object.
            version: reads the version of an object; an object in a known version is not rendered again.
            group: reads the namespace of an object, if every sample of it has that as label `namespace`: objects of one namespace
                are stored together, and scrapes of a namespace find them.
            predecessor: published store of the same name; it stays on the page until this one is complete.
            budgets: limits of its series; None for none.
        """
        self.name = name
        self._schema = encode_schema(families)
        self._families, self._budgets = families, budgets
        self._render, self._arena, self._order, self._block_objects = render, arena, order, block_objects
        self._on_change, self._key, self._version, self._group = on_change, key, version, group or (lambda obj: "")
        self._gathered = block_objects * (GATHERED if group else 1)
        self._lock = threading.Lock()
        self._ambiguous = [column for column, family in enumerate(families) if family.ambiguous]
        self._blocks, self._unique = self._new_blocks(None), self._new_unique()
        self._withdrawn, self._predecessor = False, predecessor
        self.synced = False

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self._blocks)

    @property
    def block_count(self) -> int:
        """Number of blocks."""
        return self._blocks.block_count

    @property
    def stored_bytes(self) -> int:
        """Bytes of shared memory that the blocks take."""
        return self._blocks.stored_bytes

    def take_incomplete(self) -> bool:
        """Return True once after a series went that another object has as well: it is missing until the next complete state."""
        unique = self._unique
        if not unique or not unique.is_incomplete:
            return False
        unique.is_incomplete = False
        return True

    def replace(self, events: Iterable[tuple[str, Object]]) -> None:
        """Take a whole new state and publish it at once.

        Args:
            events: (ADDED, MODIFIED or DELETED, object), consumed lazily. An exception from it ends the call and leaves
                the store unchanged.
        """
        blocks, unique = self._new_blocks(self._blocks if self.synced else None), self._new_unique()
        try:
            self._fill(blocks, unique, events)
            blocks.admit()
            # No index refers to these extents yet, so they need no grace time for readers.
            self._arena.discard(blocks.flush())
        except BaseException:
            self._drop(blocks)
            raise
        with self._lock:
            if self._withdrawn:
                self._drop(blocks)
                return
            if self._predecessor:
                self._predecessor._freeze()
            before, self._blocks, self._unique = self._blocks, blocks, unique
            self.synced = True
            self._publish(before.extents())
            before.close()
            if self._predecessor:
                self._predecessor._release()
                self._predecessor = None

    def begin(self) -> None:
        """Publish the objects upserted so far as the whole state: for a source without a list, such as the sampler."""
        with self._lock:
            self._blocks.admit()
            replaced = self._blocks.flush()
            self.synced = True
            self._publish(replaced)

    def upsert(self, obj: Object) -> None:
        """Add or update one object; readers see it after the next flush."""
        key, version = self._key(obj), self._version(obj)
        # Without the lock: digests change in the calling thread only, a flush leaves them alone.
        if self._blocks.unchanged(key, version):
            return
        texts = self._render(obj)
        if self._unique:
            texts = self._unique.admit(key, texts)
        with self._lock:
            self._blocks.upsert(key, version, texts, self._group(obj))
            due = self._blocks.dirty
        if due:
            self._on_change()

    def delete(self, obj: Object) -> None:
        """Remove one object; its series are gone after the next flush."""
        if self._unique:
            self._unique.forget(self._key(obj))
        with self._lock:
            self._blocks.delete(self._key(obj))
            due = self._blocks.dirty
        if due:
            self._on_change()

    def bookmark(self, resource_version: str) -> None:
        """Ignore a bookmark: it carries a resourceVersion and no change."""

    def flush(self) -> bool:
        """Publish the changes since the last flush. Return False if there are none."""
        with self._lock:
            if not self.synced or self._withdrawn:
                return False
            self._blocks.admit()
            if not self._blocks.dirty:
                return False
            self._publish(self._blocks.flush(), is_complete=False)
            return True

    @property
    def withholds(self) -> bool:
        """True while a budget has no room for series: a flush may be due without a change of the store."""
        with self._lock:
            return bool(self._blocks.withheld())

    def take_refused(self) -> Mapping[str, int]:
        """Return the series that budgets have withheld since the last call, by family."""
        with self._lock:
            return self._blocks.take_refused()

    def withdraw(self) -> None:
        """Remove the store from the page; what arrives from now on is ignored."""
        self._freeze()
        self._arena.withdraw(self.name)
        self._release()

    def _freeze(self) -> None:
        """Publish nothing from now on."""
        if self._predecessor:
            self._predecessor._freeze()
        with self._lock:
            self._withdrawn = True

    def _release(self) -> None:
        """Free all cells of a frozen store."""
        if self._predecessor:
            self._predecessor._release()
        with self._lock:
            self._arena.free(self._blocks.extents())
            self._blocks.close()
            self._blocks = Blocks(self._arena, len(self._families), self._block_objects)

    def _fill(self, blocks: Blocks, unique: UniqueSeries | None, events: Iterable[tuple[str, Object]]) -> None:
        """Put a whole state into empty blocks: new objects some blocks at a time, changes of known ones singly."""
        batch: dict[str, Entry] = {}
        for kind, obj in events:
            key = self._key(obj)
            if kind == "DELETED":
                batch.pop(key, None)
                blocks.delete(key)
                if unique:
                    unique.forget(key)
                continue
            version, texts = self._version(obj), self._render(obj)
            if unique:
                texts = unique.admit(key, texts)
            if key in blocks:
                blocks.upsert(key, version, texts)
                continue
            # A key in the batch is simply replaced: it has not been written yet.
            batch[key] = (key, version, texts, self._group(obj))
            if len(batch) == self._gathered:
                self._append(blocks, batch)
                batch = {}
        self._append(blocks, batch)

    def _append(self, blocks: Blocks, batch: dict[str, Entry]) -> None:
        """Write new objects, those of one group together."""
        entries = sorted(batch.values(), key=lambda entry: entry[3])
        for start in range(0, len(entries), self._block_objects):
            blocks.append(entries[start : start + self._block_objects])

    def _new_unique(self) -> UniqueSeries | None:
        return UniqueSeries(self._ambiguous) if self._ambiguous else None

    def _new_blocks(self, before: Blocks | None) -> Blocks:
        """Return empty blocks for the state that follows `before`."""
        account = self._budgets.account(self.name, self._families) if self._budgets else None
        if account:
            return GuardedBlocks(self._arena, self._families, self._block_objects, account, before)
        return Blocks(self._arena, len(self._families), self._block_objects)

    def _drop(self, blocks: Blocks) -> None:
        """Free blocks that were never published."""
        self._arena.discard(blocks.extents())
        blocks.close()

    def _publish(self, replaced: Iterable[int], is_complete: bool = True) -> None:
        blocks = self._blocks
        index = pack_index(blocks.columns(), blocks.groups())
        self._arena.publish(self.name, index, self._schema, len(blocks), self._order, replaced, blocks.withheld(), is_complete)
        blocks.settle()
