"""Poll worker: asks all agents for the usage of their pods, and stores their documents in shared memory."""

from __future__ import annotations

import resource
import time

from telegen.adapter.agents import status
from telegen.adapter.agents.endpoints import NODES, WatchedNodes, WatchedSlices, slices_of
from telegen.adapter.agents.poller import Poller, PollSettings
from telegen.adapter.agents.progress import Progress
from telegen.adapter.agents.store import AgentStore
from telegen.api.collection import Collection
from telegen.api.protocols import ReflectorStore
from telegen.api.reflector import Reflector
from telegen.api.watch_loop import WatchLoop
from telegen.config.detect import pod_namespace
from telegen.shm.shared_agents import SharedAgents
from workers._adapter.agent_identity import AgentIdentity
from workers._adapter.poll_observer import PollObserver
from workers._base import BEAT, Worker
from workers._client_factory import make_client, reflector_settings
from workers._reflector_metrics import ReflectorMetrics
from workers._threads import Threads

TIMEOUT = 10.0
"""Most seconds of a poll; a shorter interval bounds it as well."""
LONGEST = 60.0
"""Most seconds between two polls of an agent that does not answer, unless the interval is longer."""
PUBLISH = 5.0
"""Seconds between two passes over all agents, for the status and the metrics. PERF: 10 ms for 5,000."""


class PollWorker(Worker):
    """Follows the EndpointSlices of the agents and the labels of nodes in threads, and polls in the main thread."""

    def run(self) -> None:
        """Poll until `stop` is set."""
        shared, adapter = self.shared.agents, self.config.adapter
        # The plan has made sure of both.
        assert shared
        namespace = pod_namespace(self.shared.environ)
        _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
        # A connection per agent.
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
        self._store = AgentStore.load(shared.table, adapter.max_staleness)
        self._slices, self._nodes = WatchedSlices(), WatchedNodes()
        self._identity, self._observer = AgentIdentity(self.shared.certificates, self.log), PollObserver(self.log)
        before = status.decode(shared.status.read()[1])
        self._progress = Progress(f"{namespace}/{adapter.agents_service}", before.is_complete)
        settings = PollSettings(adapter.poll_interval, timeout=min(TIMEOUT, adapter.poll_interval), longest=LONGEST)
        self._poller = Poller(self._store, self._identity, self._observer, settings)
        threads = Threads(self)
        watched = [(slices_of(namespace, adapter.agents_service), self._slices, "agents"), (NODES, self._nodes, "node-labels")]
        loop = WatchLoop([self._reflector(*one) for one in watched], self.stop, threads.start)
        loop.start()
        self._poll(threads, shared)
        self._poller.close()

    def _poll(self, threads: Threads, shared: SharedAgents) -> None:
        beat_due = published_due = 0.0
        while not self.stop.is_set():
            self._follow()
            self._poller.turn()
            now = time.monotonic()
            if now >= beat_due:
                beat_due = now + BEAT
                self.beat()
                threads.check()
            if now >= published_due:
                # Until usage can be answered, a pod waits for it.
                published_due = now + (PUBLISH if self._progress.is_complete else BEAT)
                if self._slices.is_synced:
                    self._store.keep(self._poller.agents, self._nodes.is_synced)
                self._publish(shared)

    def _follow(self) -> None:
        """Adopt what the watches have brought."""
        endpoints = self._slices.take_endpoints()
        if endpoints is not None:
            self._poller.set_endpoints(endpoints)
        labels = self._nodes.take_change()
        if labels is not None:
            self._store.set_labels(labels)

    def _publish(self, shared: SharedAgents) -> None:
        has_identity, now = self._identity() is not None, time.monotonic()
        found = self._progress.status(self._poller.agents.values(), self._store, self._slices.is_synced, has_identity, now)
        shared.status.write(status.encode(found))
        self._observer.note(found, self._store)

    def _reflector(self, collection: Collection, store: ReflectorStore, name: str) -> Reflector:
        observer = ReflectorMetrics(self.telemetry, self.log, name)
        observer.cure = "apply k8s/components/adapter, which gives the rights of the adapter"
        return Reflector(make_client(self.shared), collection, store, observer, self.stop, reflector_settings(self.config))
