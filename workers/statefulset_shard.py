"""The follower of this agent's StatefulSet: which shard is ours follows from its replicas and our pod's ordinal."""

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
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.sharding import NoShard, owner_of, shard_in
from telegen.process.os_process import BootFailure, Exit
from telegen.shm.shared_value import SharedShard
from workers._base import BEAT, Worker
from workers._client_factory import make_client, reflector_settings
from workers._reflector_metrics import Observer

STORE = "shard"
"""What the StatefulSet is called among the stores in the agent's own metrics."""


class ShardWorker(Worker):
    """Finds the StatefulSet of our pod, watches it, and notes the shard where the supervisor sees it.

    Only `list` and `watch` are asked for, by name: the rights that the agent has anyway.
    """

    def run(self) -> None:
        """Beat while a thread asks and watches. What cannot be right ends the agent, unless it has a shard already."""
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
        """Ask until the StatefulSet is known, then watch it for ever."""
        client, settings = make_client(self.shared), reflector_settings(self.config)
        backoff = Backoff(settings, random.random, time.monotonic)
        while not self.stop.is_set():
            try:
                name = self._owner(client)
                path = RESOURCES["statefulsets"].path(self._namespace)
                collection = Collection(path, params={"fieldSelector": f"metadata.name={name}"})
                store = _Follower(self._pod, self.shared.shard, self.log)
                Reflector(client, collection, store, Observer(self.telemetry, self.log, STORE), self.stop, settings).run()
            except (ApiError, Unreachable, ProtocolError) as error:
                self.telemetry.errors.labels(STORE, label(error)).inc()
                self.log.warning("pod %s/%s: %s", self._namespace, self._pod, error)
            except NoShard as error:
                if self._is_hopeless(error):
                    return
            self.stop.wait(backoff.next())

    def _owner(self, client: Client) -> str:
        """The name of our pod's StatefulSet."""
        query = {"fieldSelector": f"metadata.name={self._pod}"}
        path = RESOURCES["pods"].path(self._namespace)
        found = client.get(path, query, REPRESENTATIONS["metadata"].list_accept)
        if not isinstance(found, dict):
            raise ProtocolError("a list is no object")
        if not found.get("items"):
            raise NoShard("there is no such pod")
        return owner_of(found["items"][0])

    def _is_hopeless(self, error: NoShard) -> bool:
        """Note what cannot be right; whether the agent has no shard to go on with."""
        problem = f"kube_metrics.kube_state.pod: {self._namespace}/{self._pod}: {error}"
        if self.shared.shard.read() is None:
            self._problem = problem
            return True
        self.log.error("%s; the shard stays as it was", problem)
        return False


class _Follower:
    """A reflector's store for the one StatefulSet."""

    def __init__(self, pod: str, cell: SharedShard, log: logging.Logger) -> None:
        self._pod, self._cell, self._log = pod, cell, log

    def replace(self, events: Iterable[Event]) -> None:
        """Take what is there."""
        found = [obj for kind, obj in events if kind != "DELETED"]
        if not found:
            self._log.warning("the StatefulSet of %s is not there", self._pod)
        for obj in found:
            self.upsert(obj)

    def upsert(self, obj: dict[str, Any]) -> None:
        """Note the shard, when it is another one."""
        shard = shard_in(self._pod, obj)
        if shard == self._cell.read():
            return
        number, total = shard
        self._cell.write(shard)
        if number < total:
            self._log.info("shard %d of %d, by StatefulSet %s", number, total, obj["metadata"]["name"])
        else:
            self._log.warning("no shard: %s is beyond the %d replicas and about to go", self._pod, total)

    def delete(self, obj: dict[str, Any]) -> None:
        """Pods that outlive their StatefulSet go on as they are."""
        self._log.warning("the StatefulSet is gone; the shard stays as it was")

    def bookmark(self, resource_version: str) -> None:
        """Nothing has changed."""
