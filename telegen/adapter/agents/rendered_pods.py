"""Pods as text, rendered once per usage: between two polls of an agent, lists are put together from what is there."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from telegen.adapter.agents.usage import PodUsage, Render, RenderedUsage
from telegen.shm.document_table import DocumentTable

MOST = 15_000
"""Pods that are kept, and agents. PERF: 1 kB each. A pod that is kept takes 0.3 us, another one 13 us."""


class _Kept(NamedTuple):
    """Pods of one agent in one namespace, and the stamp of its row before they were read."""

    stamp: bytes
    pods: list[RenderedUsage]


class RenderedPods:
    """Cache; what was used last goes last. Threads may share it."""

    def __init__(self, table: DocumentTable, pods_of: Callable[[int, str, str], Iterator[PodUsage]]) -> None:
        """Prepare.

        Args:
            pods_of: yields the pods of a row in a namespace; the last argument is "" for pods of any name.
        """
        self._table, self._pods_of, self._lock = table, pods_of, threading.Lock()
        self._kept: OrderedDict[tuple[int, str], _Kept] = OrderedDict()
        self._size = 0

    def get(self, row: int, namespace: str, render: Render) -> list[RenderedUsage]:
        """Return the pods of an agent in a namespace. Callers have one render function."""
        key, stamp = (row, namespace), self._table.stamp(row)
        with self._lock:
            kept = self._kept.get(key)
            if kept and kept.stamp == stamp:
                self._kept.move_to_end(key)
                return kept.pods
        read = self._pods_of(row, namespace, "")
        pods = [RenderedUsage(namespace, pod.name, pod.node, pod.time, pod.labels, render(pod)) for pod in read]
        with self._lock:
            before = self._kept.pop(key, None)
            self._kept[key] = _Kept(stamp, pods)
            self._size += _size(pods) - (_size(before.pods) if before else 0)
            while self._size > MOST:
                self._size -= _size(self._kept.popitem(last=False)[1].pods)
        return pods


def _size(pods: list[RenderedUsage]) -> int:
    """Return the share of `MOST`: an agent whose pods have no usage counts as well."""
    return len(pods) + 1
