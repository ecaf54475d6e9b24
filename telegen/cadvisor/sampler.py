"""One pass over the cgroups of this node: find them, read each, and hand over what has changed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

from telegen.cadvisor.cgroups.discovery import Cgroup, find_cgroups
from telegen.cadvisor.cgroups.hierarchy import Mount, find_mounts
from telegen.cadvisor.collector import Context, Node, Source
from telegen.cadvisor.identity.labels import Labels
from telegen.metrics.family import Object
from telegen.metrics.render import Identity, OnError, Render, renderer

LINGER = 300.0
"""Seconds for which the last reading of an ended cgroup may stay, where a source wants that."""


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


def make_render(source: Source, labels: Labels, on_error: OnError, constant: Mapping[str, str] = {}) -> Render:
    """The renderer of a source's objects.

    Args:
        labels: that a container's samples begin with. When there are more of them, the renderer is prepared anew.
        constant: labels that all samples have besides.
    """
    if not source.labelled:
        return renderer([], source.families, on_error, constant)
    names: tuple[str, ...] = ()
    prepared: Render

    def render(obj: Object) -> list[str]:
        nonlocal names, prepared
        if labels.names is not names:
            names = labels.names
            identity: Identity = [(name, _label(number)) for number, name in enumerate(names)]
            prepared = renderer(identity, source.families, on_error, constant)
        return prepared(obj)

    return render


class Sampler:
    """Reads all cgroups that are shown. Not safe for threads."""

    def __init__(
        self,
        node: Node,
        sources: Iterable[Source],
        labels: Labels,
        target: Callable[[Source], Target],
        shown: Callable[[Cgroup, tuple[str, ...]], bool] = lambda cgroup, values: True,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            sources: what is read of each cgroup.
            labels: who knows what a cgroup is called.
            target: makes the target of a source.
            shown: whether a cgroup with these values of its labels is to be shown.
        """
        self._node, self._labels, self._shown = node, labels, shown
        self._slots: list[_Slot] = []
        self._own: list[_Slot] = []
        for source in sources:
            (self._slots if source.labelled else self._own).append(_Slot(source, target(source)))
        self._contexts: dict[str, Context] = {}
        self._root = Context(Cgroup("/", "root"), node)

    @property
    def errors(self) -> Counter[str]:
        """What went wrong so far, by reason: `malformed`, or the name of a system error. Nothing of it blanks other
        readings."""
        return self._node.errors

    @property
    def contexts(self) -> Collection[Context]:
        """The cgroups that the last pass has found."""
        return self._contexts.values()

    def look_again(self, contexts: Iterable[Context]) -> None:
        """Read between two passes what may be gone at the next one."""
        for context in contexts:
            for slot in self._slots:
                slot.look_again(context)

    def sample(self) -> None:
        """One pass: what has changed goes to the targets, what has ended is deleted from them."""
        node = self._node
        node.now, node.failed = time.time(), False
        mounts = find_mounts(node.roots.cgroup)
        known = self._contexts if mounts == node.mounts else {}
        if mounts != node.mounts:
            node.mounts = mounts
        contexts: dict[str, Context] = {}
        for cgroup in self._named(_all_cgroups(node.mounts)):
            values = self._labels.labels(cgroup)
            if self._shown(cgroup, values):
                contexts[cgroup.id] = context = known.get(cgroup.id) or Context(cgroup, node)
                context.begin()
                for slot in self._slots:
                    slot.visit(context, values)
        gone = self._contexts.keys() - contexts.keys()
        for id in gone:
            for slot in self._slots:
                slot.end(self._contexts[id])
        self._contexts = contexts
        for slot in self._slots:
            slot.let_go(contexts.keys(), node.now)
        node.failed = node.failed or not node.mounts
        self._root.begin()
        for slot in self._own:
            slot.visit(self._root, ())
        node.files.sweep(bool(gone))
        node.passes += 1

    def _named(self, cgroups: Iterable[Cgroup]) -> list[Cgroup]:
        """All of them at once: a pod has the name that its containers tell."""
        listed = list(cgroups)
        self._labels.begin(listed)
        return listed

    def close(self) -> None:
        """Close the files, and let go of the processes, that are kept open."""
        self._contexts = {}
        self._node.files.close()


class _Slot:
    """A source at work: what it has read last, by cgroup, and where its objects go."""

    def __init__(self, source: Source, target: Target) -> None:
        self._source, self._target = source, target
        self._last: dict[str, tuple[Any, tuple[str, ...]]] = {}
        self._ended: dict[str, tuple[float, str]] = {}

    def visit(self, context: Context, labels: tuple[str, ...]) -> None:
        """Read one cgroup; parse and hand over only what has changed since the last pass."""
        source, id = self._source, context.cgroup.id
        if context.cgroup.kind not in source.kinds:
            return
        try:
            raw = source.read(context)
            if raw is None:
                self._drop(id)
                return
            context.alive = True
            # PERF: an idle container's bytes stay the same: comparing them is all that it costs.
            if self._last.get(id) == (raw, labels):
                return
            reading = source.parse(raw, context)
        except Exception as error:
            # One bad cgroup costs its own samples of this source, never another's.
            context.node.count(error)
            self._drop(id)
            return
        self._last[id] = (raw, labels)
        self._target.upsert({**reading, "id": id, "labels": labels})

    def look_again(self, context: Context) -> None:
        """Read what lingers anew, if the cgroup is still there: only the next pass says that it is not."""
        known = self._last.get(context.cgroup.id)
        if self._source.lingers and known and self._source.read(context) is not None:
            self.visit(context, known[1])

    def end(self, context: Context) -> None:
        """The cgroup has ended: its object goes, at once or later."""
        id = context.cgroup.id
        if self._source.lingers and id in self._last:
            raw, _ = self._last[id]
            if any(self._source.parse(raw, context).values()):
                pod = id.rpartition("/")[0] if context.cgroup.pod_uid and context.cgroup.kind == "container" else ""
                self._ended[id] = (context.node.now + LINGER, pod)
                return
        self._drop(id)

    def let_go(self, alive: Collection[str], now: float) -> None:
        """Drop what has lingered long enough, or longer than its pod, or is there again."""
        for id, (until, pod) in list(self._ended.items()):
            back = id in alive
            if back or now >= until or (pod and pod not in alive):
                del self._ended[id]
                if not back:
                    self._drop(id)

    def _drop(self, id: str) -> None:
        """The cgroup has nothing to say any more."""
        if self._last.pop(id, None) is not None:
            self._target.delete({"id": id})


def _label(number: int) -> Callable[[Object], str]:
    def read(obj: Object) -> str:
        return obj["labels"][number]  # type: ignore[no-any-return]

    return read


def _all_cgroups(mounts: Mapping[str, Mount]) -> Iterator[Cgroup]:
    """The cgroups of the hierarchies that runtimes always use, each once: the trees of v1 controllers may differ."""
    seen: set[str] = set()
    # PERF: on v1 a walk through each of ten hierarchies would cost more than all reading (35 us per cgroup and walk).
    wanted = [mounts[controller].path for controller in ("cpuacct", "memory") if controller in mounts]
    for path in dict.fromkeys(wanted):
        for cgroup in find_cgroups(path):
            if cgroup.id not in seen:
                seen.add(cgroup.id)
                yield cgroup
