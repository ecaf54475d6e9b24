"""Worker that derives the shard of this agent from the replicas of its StatefulSet and the ordinal of its pod."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterable
from typing import Any

from telegen.api.backoff import Backoff
from telegen.api.client import Client
from telegen.api.collection import Collection
from telegen.api.errors import ApiError, ProtocolError, Unreachable, label
from telegen.api.protocols import Event
from telegen.api.reflector import Reflector
from telegen.api.representation import REPRESENTATIONS
from telegen.api.representation import Name as RepresentationName
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.sharding import NoShard, owner_of, shard_in
from telegen.process.os_process import BootFailure, Exit
from telegen.shm.shared_value import SharedShard
from workers._base import BEAT, Shared, Worker
from workers._client_factory import make_client, reflector_settings
from workers._reflector_metrics import ReflectorMetrics

STORE = "shard"
"""Value of the label `store` in the agent's own metrics."""


class ShardWorker(Worker):
    """Watches the StatefulSet of the agent's pod, and writes the shard into shared memory for the supervisor.

    It lists and watches single objects by name, so it needs no further rights.
    """

    def run(self) -> None:
        """Beat while a thread sends the requests. A pod that cannot have a shard ends the agent, unless it has one already."""
        state = self.config.kube_metrics.kube_state
        self._pod, self._namespace = state.pod, state.pod_namespace
        self._problem = ""
        thread = threading.Thread(target=self._follow, name=STORE, daemon=True)
        thread.start()
        while not self.stop.wait(BEAT):
            self.beat()
            if not thread.is_alive():
                raise BootFailure(Exit.BOOT, self._problem) if self._problem else RuntimeError("the watch has ended")

    def _follow(self) -> None:
        """Find the StatefulSet, then watch it until the worker stops."""
        client, settings = make_client(self.shared), reflector_settings(self.config)
        backoff = Backoff(settings, random.random, time.monotonic)
        while not self.stop.is_set():
            try:
                name = _owner(client, self._namespace, self._pod)
                path = RESOURCES["statefulsets"].path(self._namespace)
                collection = Collection(path, params={"fieldSelector": f"metadata.name={name}"})
                store = _Follower(self._pod, self.shared.shard, self.log)
                Reflector(client, collection, store, ReflectorMetrics(self.telemetry, self.log, STORE), self.stop, settings).run()
            except (ApiError, Unreachable, ProtocolError) as error:
                self.telemetry.errors.labels(STORE, label(error)).inc()
                self.log.warning("pod %s/%s: %s", self._namespace, self._pod, error)
            except NoShard as error:
                if self._is_hopeless(error):
                    return
            self.stop.wait(backoff.next())

    def _is_hopeless(self, error: NoShard) -> bool:
        """Note that the pod cannot have a shard; True if the agent has none to continue with."""
        problem = _problem(self._namespace, self._pod, error)
        if self.shared.shard.read() is None:
            self._problem = problem
            return True
        self.log.error("%s; keeping the shard", problem)
        return False


def shard_problem(shared: Shared) -> str:
    """Return why the configured pod can have no shard, or why that is unknown; "" if it can."""
    state, client = shared.config.kube_metrics.kube_state, make_client(shared)
    try:
        name = _owner(client, state.pod_namespace, state.pod)
        for found in _named(client, "statefulsets", state.pod_namespace, name, "object"):
            shard_in(state.pod, found)
    except (NoShard, ApiError, Unreachable, ProtocolError) as error:
        return _problem(state.pod_namespace, state.pod, error)
    return ""


def _problem(namespace: str, pod: str, error: Exception) -> str:
    return f"kube_metrics.kube_state.pod: {namespace}/{pod}: {error}"


def _owner(client: Client, namespace: str, pod: str) -> str:
    """Return the name of the StatefulSet that owns a pod.

    Raises:
        NoShard: there is none, or no such pod.
    """
    found = _named(client, "pods", namespace, pod, "metadata")
    if not found:
        raise NoShard("there is no such pod")
    return owner_of(found[0])


def _named(client: Client, resource: str, namespace: str, name: str, representation: RepresentationName) -> list[Any]:
    """Return the object of a name, as a list; none if it does not exist."""
    path, query = RESOURCES[resource].path(namespace), {"fieldSelector": f"metadata.name={name}"}
    found = client.get(path, query, REPRESENTATIONS[representation].list_accept)
    if not isinstance(found, dict):
        raise ProtocolError("a list is not an object")
    return list(found.get("items") or ())


class _Follower:
    """Store of the reflector: publishes the shard."""

    def __init__(self, pod: str, cell: SharedShard, log: logging.Logger) -> None:
        self._pod, self._cell, self._log = pod, cell, log

    def replace(self, events: Iterable[Event]) -> None:
        """Take the complete state."""
        found = [obj for kind, obj in events if kind != "DELETED"]
        if not found:
            action = "waiting for it" if self._cell.read() is None else "keeping the shard"
            self._log.warning("the StatefulSet of pod %s does not exist; %s", self._pod, action)
        for obj in found:
            self.upsert(obj)

    def upsert(self, obj: dict[str, Any]) -> None:
        """Publish the shard if it has changed."""
        shard = shard_in(self._pod, obj)
        if shard == self._cell.read():
            return
        number, total = shard
        self._cell.write(shard)
        if number < total:
            self._log.info("shard %d of %d, by StatefulSet %s", number, total, obj["metadata"]["name"])
        else:
            self._log.warning("no shard: pod %s is beyond the %d replicas and will be deleted", self._pod, total)

    def delete(self, obj: dict[str, Any]) -> None:
        """Keep the shard: a pod may outlive its StatefulSet."""
        self._log.warning("the StatefulSet was deleted; keeping the shard")

    def bookmark(self, resource_version: str) -> None:
        """Ignore it."""
