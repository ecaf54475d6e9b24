"""Sampler: one pass finds the node's cgroups, reads each and hands over the readings that have changed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.discovery import find_cgroups
from telegen.cadvisor.cgroups.hierarchy import find_mounts
from telegen.cadvisor.collector import AnyCollector
from telegen.cadvisor.identity.labels import LabelSource
from telegen.cadvisor.lingering import Lingering
from telegen.cadvisor.node import Node
from telegen.metrics.family import Object
from telegen.metrics.render import Identity, OnError, Render, renderer
from telegen.shm.serving_deadlines import boottime

KEEP_SECONDS = 300.0
"""Time for which the last reading of an ended cgroup is served, for collectors with `keep_after_exit`."""


class Target(Protocol):
    """Receiver of a collector's objects, for example a store.

    An object is {"id": path of the cgroup, "labels": values of its labels, "reading": the collector's reading, "context": the
    cgroup}; `id` is its key.
    """

    def upsert(self, obj: Object) -> None:
        """Add or replace an object."""

    def delete(self, obj: Object) -> None:
        """Remove the object with this `id` if there is one."""


def object_key(obj: Object) -> str:
    """Path of an object's cgroup."""
    return obj["id"]  # type: ignore[no-any-return]


def make_render(
    collector: AnyCollector, labels: LabelSource, on_error: OnError, constant: Mapping[str, str] = {}
) -> Render:
    """Return the renderer of a collector's objects.

    Args:
        labels: names of the labels that a container's samples begin with. New names make it prepare a new renderer.
        constant: labels that all samples have in common.
    """
    if not collector.labelled:
        node_render = renderer([], collector.families, on_error, constant)
        return lambda obj: node_render(obj["reading"])
    names: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    prepared: Render

    def label(number: int) -> Callable[[Object], str]:
        return lambda reading: values[number]

    def render(obj: Object) -> list[str]:
        nonlocal names, values, prepared
        # Compared by identity: a label source replaces the tuple when it adds a label (see LabelSource).
        if labels.names is not names:
            names = labels.names
            identity: Identity = [(name, label(number)) for number, name in enumerate(names)]
            prepared = renderer(identity, collector.families, on_error, constant)
        # PERF: the families take the reading itself, and the labels come through the closure: taking the reading out of the
        # object for each of 70 families would cost 4 % of a pass in which every cgroup has changed.
        values = obj["labels"]
        return prepared(obj["reading"])

    return render


class Sampler:
    """Reads all cgroups of the node that are shown. Not safe for threads."""

    def __init__(
        self,
        node: Node,
        collectors: Iterable[AnyCollector],
        labels: LabelSource,
        target: Callable[[AnyCollector], Target],
        is_shown: Callable[[Cgroup, tuple[str, ...]], bool] = lambda cgroup, values: True,
        linger: float = 0.0,
    ) -> None:
        """Create a sampler; the first pass reads.

        Args:
            labels: gives each cgroup the values of its labels.
            target: returns the target of a collector's objects.
            is_shown: selects cgroups, by the values of their labels.
            linger: seconds for which the last series of an ended container are kept.
        """
        self._node, self._labels, self._is_shown = node, labels, is_shown
        self._lingering = Lingering(linger)
        self._per_cgroup: list[_CollectorRun] = []
        self._per_node: list[_CollectorRun] = []
        for collector in collectors:
            runs = self._per_cgroup if collector.labelled else self._per_node
            runs.append(_CollectorRun(collector, target(collector), self._lingering))
        self._contexts: dict[str, Context] = {}
        self._root = Context(Cgroup("/", "root"), node)

    @property
    def errors(self) -> Counter[str]:
        """Errors since the start, by reason (see `Node.errors`)."""
        return self._node.errors

    @property
    def contexts(self) -> Collection[Context]:
        """Cgroups of the last pass."""
        return self._contexts.values()

    def reread(self, contexts: Iterable[Context]) -> None:
        """Read, between two passes, what the next pass may be too late for: collectors with `keep_after_exit`."""
        for context in contexts:
            for run in self._per_cgroup:
                run.reread(context)

    def sample(self) -> None:
        """Run one pass: upsert readings that have changed, delete those of cgroups that have ended."""
        node = self._node
        node.now, node.failed = time.time(), False
        mounts = find_mounts(node.roots.cgroup)
        # Contexts hold paths below the mounts: they are not reused after a change of the mounts.
        known = self._contexts if mounts == node.mounts else {}
        if mounts != node.mounts:
            node.mounts = mounts
        contexts: dict[str, Context] = {}
        # Labels are resolved for all cgroups before the first is read: a pod takes its name from its containers.
        cgroups = list(_all_cgroups(node))
        self._labels.begin_pass(cgroups)
        for cgroup in cgroups:
            values = self._labels.labels(cgroup)
            if self._is_shown(cgroup, values):
                contexts[cgroup.id] = context = known.get(cgroup.id) or Context(cgroup, node)
                context.begin_pass(values)
        # Complete before the first read: a network that several containers share is shown on one of them.
        node.contexts, node.per_pass = contexts.values(), {}
        for context in contexts.values():
            context.read_at = boottime()
            for run in self._per_cgroup:
                run.visit(context, context.labels)
        self._end_missing(contexts)
        # Without a mount nothing is read, so no read would report an error.
        node.failed = node.failed or not node.mounts
        # Last, since self_metrics reports node.failed of this pass.
        self._root.begin_pass()
        for run in self._per_node:
            run.visit(self._root, ())
        node.files.sweep()
        node.passes += 1

    def close(self) -> None:
        """Close all files and process folders that are kept open."""
        self._contexts = {}
        self._node.files.close()

    def _end_missing(self, contexts: dict[str, Context]) -> None:
        """Replace the contexts of the last pass."""
        ended = self._contexts.keys() - contexts.keys()
        for id in ended:
            lingers = self._lingering.add(self._contexts[id])
            for run in self._per_cgroup:
                run.end(self._contexts[id], lingers)
        self._contexts = contexts
        over = self._lingering.expire(contexts.values(), self._node.now)
        for run in self._per_cgroup:
            run.expire(contexts.keys(), over, self._node.now)


class _CollectorRun:
    """A collector with its last raw content of each cgroup and its target."""

    def __init__(self, collector: AnyCollector, target: Target, lingering: Lingering) -> None:
        self._collector, self._target, self._lingering = collector, target, lingering
        self._last: dict[str, tuple[Any, tuple[str, ...]]] = {}
        self._ended: dict[str, tuple[float, str]] = {}
        self._kept: set[str] = set()

    def visit(self, context: Context, labels: tuple[str, ...]) -> None:
        """Read one cgroup; parse and upsert only if its content or labels have changed since the last pass."""
        collector, id = self._collector, context.cgroup.id
        if context.cgroup.kind not in collector.kinds:
            return
        try:
            raw = collector.read(context)
            if raw is None:
                self._drop_unread(context)
                return
            context.exists = True
            # PERF: the content of an idle container does not change, so this comparison is its only cost.
            if self._last.get(id) == (raw, labels):
                return
            reading = collector.parse(raw, context)
        except Exception as error:
            # A failure in one cgroup removes only its own samples of this collector.
            context.node.count_error(error)
            self._drop_unread(context)
            return
        self._last[id] = (raw, labels)
        self._target.upsert({"id": id, "labels": labels, "reading": reading, "context": context})

    def reread(self, context: Context) -> None:
        """Visit the cgroup again if it still exists; only a pass removes the samples of an ended one."""
        known = self._last.get(context.cgroup.id)
        if self._collector.keep_after_exit and known and self._collector.read(context) is not None:
            self.visit(context, known[1])

    def end(self, context: Context, lingers: bool) -> None:
        """Delete the object of an ended cgroup, or keep it: for KEEP_SECONDS, and as long as the cgroup lingers."""
        id, is_kept = context.cgroup.id, self._collector.keep_after_exit
        if is_kept and id in self._last:
            raw, _ = self._last[id]
            if is_kept(self._collector.parse(raw, context)):
                # The parent of a container is its pod; a kept series ends with the pod as well.
                pod = id.rpartition("/")[0] if context.cgroup.pod_uid and context.cgroup.kind == "container" else ""
                self._ended[id] = (context.node.now + KEEP_SECONDS, pod)
        if lingers:
            self._kept.add(id)
        elif id not in self._ended:
            self._drop(id)

    def expire(self, existing: Collection[str], over: Iterable[str], now: float) -> None:
        """Delete kept objects whose time is over or whose pod has ended; a cgroup that exists again takes over its own.

        Args:
            existing: ids of the cgroups that exist.
            over: ids of cgroups that do not linger any more.
        """
        self._kept.difference_update(over)
        for id, (until, pod) in list(self._ended.items()):
            if id in existing or now >= until or (pod and pod not in existing):
                del self._ended[id]
                over = (*over, id)
        for id in over:
            # The pass has already visited a cgroup that exists again: its object is current.
            if id not in existing and id not in self._kept and id not in self._ended:
                self._drop(id)

    def _drop_unread(self, context: Context) -> None:
        """Delete the object of a cgroup without content; one that ends in this pass and will linger keeps its last one."""
        id = context.cgroup.id
        if not (id in self._last and self._lingering.applies_to(context) and context.has_ended()):
            self._drop(id)

    def _drop(self, id: str) -> None:
        if self._last.pop(id, None) is not None:
            self._target.delete({"id": id})


def _all_cgroups(node: Node) -> Iterator[Cgroup]:
    """Cgroups of the cpuacct and memory hierarchies, each once."""
    seen: set[str] = set()
    # The trees of v1 controllers may differ, but every runtime uses these two. PERF: a walk through each of ten v1
    # hierarchies would cost more than all reading (35 us per cgroup and walk).
    paths = [node.mounts[controller].path for controller in ("cpuacct", "memory") if controller in node.mounts]
    for path in dict.fromkeys(paths):
        for cgroup in find_cgroups(path, node.raw_cgroups, node.count_error):
            if cgroup.id not in seen:
                seen.add(cgroup.id)
                yield cgroup
