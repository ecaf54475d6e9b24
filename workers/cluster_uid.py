"""Finds out which cluster this is, by the UID of its namespace kube-system."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from telegen.api.collection import Collection
from telegen.api.protocols import Event
from telegen.api.reflector import Reflector
from telegen.kubestate.registry import RESOURCES
from workers._base import BEAT, KUBE_SYSTEM, Worker
from workers._client_factory import make_client, reflector_settings
from workers._reflector_metrics import Observer
from workers._threads import Threads

STORE = "cluster_uid"
"""What the namespace is called among the stores in the agent's own metrics."""


class IdentifyWorker(Worker):
    """Asks until it is told, writes the UID where all workers read it, and ends; the supervisor then starts those that
    have waited for it.

    Only `list` and `watch` are asked for, by name: the rights that the agent has anyway.
    """

    def run(self) -> None:
        """Beat while a thread asks: a request may take longer than SIGTERM may."""
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
        """Say it, and end."""
        self.shared.uid.write(uid)
        self.log.info("the cluster is %s, by its namespace %s", uid, KUBE_SYSTEM)
        self.stop.set()


class _Finder:
    """A reflector's store for the one namespace."""

    def __init__(self, worker: IdentifyWorker) -> None:
        self._worker = worker

    def replace(self, events: Iterable[Event]) -> None:
        """Take what is there."""
        found = [obj for kind, obj in events if kind != "DELETED"]
        if not found:
            self._worker.log.warning("there is no namespace %s; waiting for it", KUBE_SYSTEM)
        for obj in found:
            self.upsert(obj)

    def upsert(self, obj: dict[str, Any]) -> None:
        """Here it is."""
        self._worker.found(obj["metadata"]["uid"])

    def delete(self, obj: dict[str, Any]) -> None:
        """It had not been there to be found."""

    def bookmark(self, resource_version: str) -> None:
        """Nothing has changed."""


class _Observer(Observer):
    """Says what failures mean for the agent, and what to do where only somebody else can."""

    def failed(self, reason: str, message: str, delay: float) -> None:
        """Count it, and log it when it is another than before."""
        cure = ": the agent's account needs the rights to list and watch namespaces (k8s/account)" if reason == "403" else ""
        super().failed(reason, f"{message}{cure}; nothing is collected before the cluster's UID is known", delay)
