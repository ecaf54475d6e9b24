"""Worker that identifies the cluster by the UID of its namespace kube-system."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from telegen.api.collection import Collection
from telegen.api.protocols import Event
from telegen.api.reflector import Reflector
from telegen.kubestate.registry import RESOURCES
from workers._base import BEAT, KUBE_SYSTEM, Worker
from workers._client_factory import make_client, reflector_settings
from workers._reflector_metrics import ReflectorMetrics
from workers._threads import Threads

STORE = "cluster_uid"
"""Value of the label `store` in the agent's own metrics."""


class IdentifyWorker(Worker):
    """Writes the UID into shared memory, and ends. The supervisor starts the other workers after that.

    It lists and watches one namespace by name, so it needs no further rights.
    """

    def run(self) -> None:
        """Beat while a thread sends the requests, which may take longer than the grace period."""
        collection = Collection(RESOURCES["namespaces"].path(), "metadata", {"fieldSelector": f"metadata.name={KUBE_SYSTEM}"})
        observer = _Observer(self.telemetry, self.log, STORE)
        settings = reflector_settings(self.config)
        reflector = Reflector(make_client(self.shared), collection, _Finder(self), observer, self.stop, settings)
        threads = Threads(self)
        threads.start(STORE, reflector.run)
        while not self.stop.wait(BEAT):
            self.beat()
            threads.check()

    def found(self, uid: str) -> None:
        """Publish the UID, and end."""
        self.shared.uid.write(uid)
        self.log.info("the cluster has the UID %s (namespace %s)", uid, KUBE_SYSTEM)
        self.stop.set()


class _Finder:
    """Store of the reflector: publishes the UID of the namespace."""

    def __init__(self, worker: IdentifyWorker) -> None:
        self._worker = worker

    def replace(self, events: Iterable[Event]) -> None:
        """Take the complete state."""
        found = [obj for kind, obj in events if kind != "DELETED"]
        if not found:
            self._worker.log.warning("the cluster has no namespace %s; waiting for it", KUBE_SYSTEM)
        for obj in found:
            self.upsert(obj)

    def upsert(self, obj: dict[str, Any]) -> None:
        """Publish the UID."""
        self._worker.found(obj["metadata"]["uid"])

    def delete(self, obj: dict[str, Any]) -> None:
        """Ignore it: the UID is published with the first state."""

    def bookmark(self, resource_version: str) -> None:
        """Ignore it."""


class _Observer(ReflectorMetrics):
    """Adds the consequence and the remedy to the log lines of failures."""

    def failed(self, reason: str, message: str, delay: float) -> None:
        """Count a failure; log it if it differs from the last one."""
        cure = ": the agent's account needs the rights to list and watch namespaces (k8s/account)" if reason == "403" else ""
        super().failed(reason, f"{message}{cure}; nothing is collected before the cluster's UID is known", delay)
