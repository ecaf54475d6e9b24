"""The document of a pass: pods with their usage, and the node's."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Optional

import orjson

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.identity.labels import BASE
from telegen.cadvisor.usage.document import (
    POD_METRICS,
    PodObject,
    UsageDocument,
    encode_node,
    encode_objects,
    numbers,
    times,
)
from telegen.cadvisor.usage.pods import UsagePod, UsagePods
from telegen.cadvisor.usage.rates import Usage, earliest
from telegen.cadvisor.usage.recorder import Recorder
from telegen.shm.serving_deadlines import boottime

PASSES = 2
"""Passes before the first document."""
_CONTAINER = BASE.index("container")

_UNKNOWN = [None] * len(POD_METRICS)

Usages = Mapping[str, Optional[Usage]]
"""Usage by container."""


class UsageReport:
    """Makes the document of each pass."""

    def __init__(self, recorder: Recorder, pods: UsagePods, node: str) -> None:
        """Start without a pass.

        Args:
            node: name of the node.
        """
        self._recorder, self._pods, self._node = recorder, pods, node
        self._run = os.urandom(6).hex()
        self._passes = 0
        self._objects: list[PodObject] = []
        self._generation, self._encoded = encode_objects([])

    def end_pass(self, contexts: Collection[Context]) -> Optional[UsageDocument]:
        """Take the readings of a pass; return its document, None before the second pass or without the name of the node."""
        self._recorder.end_pass(contexts)
        self._passes += 1
        # The adapter identifies nodes by name.
        if self._passes < PASSES or not self._node:
            return None
        offset = time.time() - boottime()
        found = sorted(self._found(contexts), key=lambda one: (one[0].namespace, one[0].name))
        self._adopt([_object(pod, usages) for pod, usages, _ in found])
        rows = [_row(pod, usages, whole, offset) for pod, usages, whole in found]
        node = next((context for context in contexts if context.cgroup.kind == "root"), None)
        node_usage = encode_node(self._recorder.usage(node) if node else None, offset)
        return UsageDocument(self._run, self._node, self._generation, self._encoded, orjson.dumps(rows), node_usage)

    def _adopt(self, objects: list[PodObject]) -> None:
        # PERF: labels are encoded again only after a change.
        if objects != self._objects:
            self._objects = objects
            self._generation, self._encoded = encode_objects(objects)

    def _found(self, contexts: Iterable[Context]) -> Iterator[tuple[UsagePod, Usages, Optional[Usage]]]:
        """Yield each pod of the API that has containers, the usage of these, and that of the pod as a whole."""
        wholes: dict[str, Optional[Usage]] = {}
        members: dict[str, list[Context]] = defaultdict(list)
        for context in contexts:
            cgroup = context.cgroup
            if cgroup.kind == "pod":
                wholes[cgroup.pod_uid] = self._recorder.usage(context)
            elif cgroup.kind == "container" and cgroup.pod_uid and not context.node.facts.is_sandbox(cgroup):
                members[cgroup.pod_uid].append(context)
        for uid, containers in members.items():
            pod = self._pods.of_uid(uid)
            if pod:
                # Of two runs of a container, one of which is about to end, the newer one counts.
                newest = sorted(containers, key=self._recorder.start)
                yield pod, {one.labels[_CONTAINER]: self._recorder.usage(one) for one in newest}, wholes.get(uid)


def _object(pod: UsagePod, usages: Usages) -> PodObject:
    return PodObject(pod.namespace, pod.name, pod.uid, pod.labels, tuple(_ordered(pod, usages)))


def _ordered(pod: UsagePod, usages: Usages) -> list[str]:
    """Return the names of containers in the order of the pod's status."""
    return [*(name for name in pod.restarts if name in usages), *sorted(name for name in usages if name and name not in pod.restarts)]


def _row(pod: UsagePod, usages: Usages, whole: Optional[Usage], offset: float) -> Any:
    """Return the usage of a pod; None if it is not running, or if one of its containers has none: the sum would be too small."""
    known = {name: usage for name, usage in usages.items() if usage}
    if not pod.is_running or len(known) < len(usages) or "" in usages or not pod.required <= usages.keys():
        return None
    containers = [[*numbers(known[name].values), pod.restarts.get(name, 0)] for name in _ordered(pod, usages)]
    return [*times(earliest(list(known.values())), offset), containers, numbers(whole.values) if whole else _UNKNOWN]
