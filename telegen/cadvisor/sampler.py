"""One pass over the cgroups of this node: find them, read each, and hand over what has changed."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from telegen.cadvisor.discovery import Cgroup, find_cgroups
from telegen.cadvisor.hierarchy import Mount, find_mounts
from telegen.cadvisor.labels import Labels
from telegen.cadvisor.source import Context, Node, Source
from telegen.metrics.family import Object
from telegen.metrics.render import Identity, OnError, Render, renderer


class Target(Protocol):
    """Where the objects of a source go: a store, or what stands for one.

    An object is the reading of one cgroup, with two keys besides: `id`, which is its key, and `labels`, the values of
    the labels that its samples begin with.
    """

    def upsert(self, obj: Object) -> None:
        """Add or replace an object."""

    def delete(self, obj: Object) -> None:
        """Remove the object with this `id`, if it is there."""


def object_key(obj: Object) -> str:
    """The key of an object: the id of its cgroup."""
    return obj["id"]  # type: ignore[no-any-return]


def make_render(source: Source, names: Sequence[str], on_error: OnError) -> Render:
    """The renderer of a source's objects.

    Args:
        names: of the labels that a container's samples begin with.
    """
    identity: Identity = [(name, _label(number)) for number, name in enumerate(names)] if source.labelled else []
    return renderer(identity, source.families, on_error)


class Sampler:
    """Reads all cgroups that are shown. Not safe for threads."""

    def __init__(self, node: Node, sources: Iterable[Source], labels: Labels, target: Callable[[Source], Target]) -> None:
        """Prepare; nothing is read yet.

        Args:
            sources: what is read of each cgroup.
            labels: who knows what a cgroup is called.
            target: makes the target of a source.
        """
        self._node, self._labels = node, labels
        self._slots = [_Slot(source, target(source), node.errors) for source in sources]
        self._contexts: dict[str, Context] = {}

    @property
    def errors(self) -> Counter[str]:
        """What went wrong so far, by reason: `malformed`, or the name of a system error. Nothing of it blanks other
        readings."""
        return self._node.errors

    def sample(self) -> None:
        """One pass: what has changed goes to the targets, what has ended is deleted from them."""
        node = self._node
        node.mounts = find_mounts(node.roots.cgroup)
        contexts: dict[str, Context] = {}
        for cgroup in _all_cgroups(node.mounts.values()):
            context = self._contexts.get(cgroup.id) or Context(cgroup, node)
            context.begin()
            contexts[cgroup.id] = context
            values = self._labels.labels(cgroup)
            for slot in self._slots:
                slot.visit(context, values)
        for id in self._contexts.keys() - contexts.keys():
            for slot in self._slots:
                slot.drop(id)
        self._contexts = contexts
        node.files.sweep()

    def close(self) -> None:
        """Close the files that are kept open."""
        self._node.files.close()


class _Slot:
    """A source at work: what it has read last, by cgroup, and where its objects go."""

    def __init__(self, source: Source, target: Target, errors: Counter[str]) -> None:
        self._source, self._target, self._errors = source, target, errors
        self._last: dict[str, tuple[Any, tuple[str, ...]]] = {}

    def visit(self, context: Context, labels: tuple[str, ...]) -> None:
        """Read one cgroup; parse and hand over only what has changed since the last pass."""
        source, id = self._source, context.cgroup.id
        if context.cgroup.kind not in source.kinds:
            return
        try:
            raw = source.read(context)
            if raw is None:
                self.drop(id)
                return
            context.alive = True
            # PERF: an idle container's bytes stay the same: comparing them is all that it costs.
            if self._last.get(id) == (raw, labels):
                return
            reading = source.parse(raw, context)
        except Exception as error:
            # One bad cgroup costs its own samples of this source, never another's.
            self._errors[_reason(error)] += 1
            self.drop(id)
            return
        self._last[id] = (raw, labels)
        self._target.upsert({**reading, "id": id, "labels": labels})

    def drop(self, id: str) -> None:
        """The cgroup has ended, or has nothing to say any more."""
        if self._last.pop(id, None) is not None:
            self._target.delete({"id": id})


def _label(number: int) -> Callable[[Object], str]:
    def read(obj: Object) -> str:
        return obj["labels"][number]  # type: ignore[no-any-return]

    return read


def _reason(error: Exception) -> str:
    """The label of an error: of a system error its name, `malformed` for what could not be understood."""
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "unknown")
    return "malformed" if isinstance(error, (ValueError, LookupError)) else type(error).__name__


def _all_cgroups(mounts: Iterable[Mount]) -> Iterator[Cgroup]:
    """The cgroups of all mounts, each once: the trees of v1 controllers may differ."""
    seen: set[str] = set()
    for path in dict.fromkeys(mount.path for mount in mounts):
        for cgroup in find_cgroups(path):
            if cgroup.id not in seen:
                seen.add(cgroup.id)
                yield cgroup
