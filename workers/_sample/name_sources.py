"""Reflectors of the sampler: the pods of the node, and namespaces if their labels are configured, for the labels of containers."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from telegen.api.collection import Collection
from telegen.api.reflector import Reflector
from telegen.cadvisor.identity.label_resolver import LabelResolver
from telegen.cadvisor.identity.name_index import NameIndex
from telegen.config import sampled_node
from telegen.process.os_process import trim_memory
from workers._base import Worker
from workers._client_factory import make_client, reflector_settings
from workers._reflector_metrics import ReflectorMetrics
from workers._threads import Threads

PODS, NAMESPACES = "containers/names/pods", "containers/names/namespaces"
"""Values of the label `store` in the agent's own metrics."""


class NameThreads:
    """One thread per collection; none without an API server or the name of the node."""

    def __init__(self, worker: Worker, names: LabelResolver, pods: NameIndex, reads: tuple[str, ...]) -> None:
        """Start the threads.

        Args:
            pods: takes the pods: the index of `names`, or a store that passes them on to it.
            reads: paths of the fields of a pod that it reads.
        """
        self._worker, self._threads = worker, Threads(worker)
        self._indexes = [self._start(*followed) for followed in _followed(worker, names, pods, reads)]
        if not self._indexes:
            _explain(worker)

    def check(self) -> None:
        """Check that all threads run.

        Raises:
            RuntimeError: a thread has ended.
        """
        self._threads.check()

    @property
    def synced(self) -> bool:
        """True if each index has taken a complete state."""
        return all(index.synced.is_set() for index in self._indexes)

    def _start(self, name: str, collection: Collection, index: NameIndex) -> NameIndex:
        worker = self._worker
        observer, settings = _IndexObserver(worker, name, index), reflector_settings(worker.config)
        reflector = Reflector(make_client(worker.shared), collection, index, observer, worker.stop, settings)
        self._threads.start(name, reflector.run)
        return index


def node_name(worker: Worker) -> str:
    """Return the name of the node whose cgroups are sampled; "" if it is not configured."""
    return sampled_node(worker.config, worker.shared.environ)


def _followed(
    worker: Worker, names: LabelResolver, pods: NameIndex, reads: tuple[str, ...]
) -> Iterator[tuple[str, Collection, NameIndex]]:
    """Yield (store name, collection, index) of each collection to follow."""
    node = node_name(worker)
    if not worker.shared.cluster or not node:
        return
    yield PODS, Collection("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={node}"}, reads=reads), pods
    if worker.config.kube_metrics.cadvisor.namespace_labels:
        yield NAMESPACES, Collection("/api/v1/namespaces", "metadata"), names.namespaces


def _explain(worker: Worker) -> None:
    """Log the reason why no pods are watched; a warning if a setting needs them."""
    cadvisor, usage = worker.config.kube_metrics.cadvisor, worker.config.adapter.agent_address
    asked = cadvisor.pod_labels or cadvisor.pod_annotations or cadvisor.namespace_labels or cadvisor.workload or usage
    if worker.shared.cluster or asked:
        why = "node_name and NODE_NAME are empty" if worker.shared.cluster else "no API server is watched"
        effect = "pod_labels and the like stay empty" if asked else "containers are named by their runtimes' files alone"
        effect = "adapter.agent_address serves no pods" if usage else effect
        worker.log.log(logging.WARNING if asked else logging.INFO, "%s: %s", why, effect)


class _IndexObserver(ReflectorMetrics):
    """Metrics and log lines of the reflector of an index."""

    def __init__(self, worker: Worker, name: str, index: NameIndex) -> None:
        super().__init__(worker.telemetry, worker.log, name)
        self._index = index

    def took(self, seconds: float) -> None:
        """Note the size of the index, and return the memory that parsing has used."""
        self.telemetry.objects.labels(self.name).set(len(self._index))
        self.log.info("%s: synced %d objects in %.1f s", self.name, len(self._index), seconds)
        trim_memory()
