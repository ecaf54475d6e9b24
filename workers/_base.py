"""Base of all workers: the state they inherit over fork, their signals, heartbeats and exit codes."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from telegen.config import Config, NamedCluster
from telegen.kubemetrics.telemetry import Telemetry
from telegen.process.listeners import Listeners
from telegen.process.log_settings import LogSettings
from telegen.process.os_process import BootFailure, Exit, Lifeline, die_with_parent, set_name
from telegen.process.reviews import ReviewQueue
from telegen.shm.heartbeats import Heartbeats
from telegen.shm.layout import Arena
from telegen.shm.notices import Notices
from telegen.shm.series_ledger import SeriesLedger
from telegen.shm.serving_deadlines import ServingDeadlines
from telegen.shm.shared_agents import SharedAgents
from telegen.shm.shared_document import SharedDocument
from telegen.shm.shared_value import SharedShard, SharedText
from telegen.shm.store_status import StoreStatuses

BEAT = 1.0
"""Seconds between two heartbeats."""
KUBE_SYSTEM = "kube-system"
"""Namespace whose UID stands for the cluster's: it exists as long as the cluster."""


READERS = ("web", "push", "adapter")
"""Kinds of workers that read the arenas of all others."""
SERVERS = frozenset(("web", "adapter"))
"""Kinds of workers that accept connections. A reload starts their successors before they end, and they finish their responses."""

Shard = tuple[int, int]
"""(number, total) of the agents, or of the processes of one agent, that divide objects by UID."""


@dataclass(frozen=True)
class Assignment:
    """The work of one process.

    Attributes:
        name: unique, shown in logs and metrics: `watch-pods`.
        kind: a key of `workers.KINDS`.
        stores: names of the stores that it publishes in its arena, none for the web. A store of the API has the name of its
            resource, `pods`, or of resource and namespace, `pods/shop`.
        process_shard: of this agent's processes that divide the objects of these stores.
        agent_shard: of the agents that divide all objects.
        lease_shard: number of the shard whose Lease the agent must hold to serve the stores; None if they are always served.
        cluster: the one of several clusters that is watched; None for the only one.
    """

    name: str
    kind: str
    stores: tuple[str, ...] = ()
    process_shard: Shard = (0, 1)
    agent_shard: Shard = (0, 1)
    lease_shard: int | None = None
    cluster: NamedCluster | None = None


@dataclass(frozen=True)
class Group:
    """The agents that divide a cluster by Leases.

    Attributes:
        namespace: of the Leases.
        names: of the Leases, one per shard.
        member: this agent's name in them, without the token that makes it unique.
    """

    namespace: str
    names: tuple[str, ...]
    member: str


@dataclass(frozen=True)
class Shared:
    """State that the supervisor makes before the fork and every worker inherits.

    Attributes:
        config: the configuration in force.
        cluster: where the API server is (see `telegen.api.credentials`), "" for none.
        environ: the environment that the supervisor was started in.
        assignments: of all workers.
        arenas: by worker name; each is written by that worker alone. Only workers of `READERS` have those of others.
        heartbeats: last sign of life of each process.
        rows: worker name to its row of the heartbeats.
        listeners: the bound, listening sockets by setting (see `telegen.process.listeners`); closed in all but web workers.
        deadlines: until when each shard may be served.
        lease_problem: why Leases cannot be read or written, "" if they can.
        group: the agents that divide the cluster by Leases; None for an agent that takes no part.
        lifeline: ends processes below a worker together with the supervisor.
        log: settings of logs since the last reload (see `telegen.process.log_settings`).
        shard: shard by the ordinal in a StatefulSet, once it is known.
        uid: UID of the cluster, once it is known.
        events_position: resourceVersion and time of the last Kubernetes event that was sent.
        statuses: sync status of the stores of each watch worker, by its name.
        root_problems: what is wrong with the paths of the node's file systems, by the sampler, one line each.
        usage: of the node and its pods, by the sampler (see `telegen.cadvisor.usage.document`); empty before its second pass.
        agent_tls: TLS of adapter.agent_address, `telegen.config.web_file.WebFile` as MessagePack; empty without certificates.
        state: of the supervisor, for the status page.
        holders: holder of each Lease of a shard, by the elector.
        notices: last warning of each process.
        web_file: content of the web configuration file, `telegen.config.web_file.WebFile` as MessagePack.
        rules: content of the rules file of the adapter.
        reviews: questions about tokens, for the process that reviews them; None without `web.auth`.
        custom: the configuration of custom resources in force (see `telegen.kubestate.custom.sources`).
        notes: lines for the status page of each worker that writes some, by its name.
        series: number of series by budget; only workers that publish stores have it.
        certificates: of the adapter (see `telegen.adapter.certificates.document`).
        agents: documents of the agents that the adapter polls; None if it polls none.
    """

    config: Config
    cluster: str
    environ: Mapping[str, str]
    assignments: tuple[Assignment, ...]
    arenas: Mapping[str, Arena]
    heartbeats: Heartbeats
    rows: Mapping[str, int]
    listeners: Listeners
    deadlines: ServingDeadlines
    lease_problem: SharedText
    log: SharedText
    lifeline: Lifeline
    group: Group | None
    shard: SharedShard
    uid: SharedText
    events_position: SharedText
    statuses: Mapping[str, StoreStatuses]
    web_file: SharedDocument
    rules: SharedDocument
    root_problems: SharedDocument
    usage: SharedDocument
    agent_tls: SharedDocument
    state: SharedDocument
    holders: SharedDocument
    notices: Notices
    reviews: ReviewQueue | None
    custom: SharedDocument
    notes: Mapping[str, SharedDocument]
    series: SeriesLedger
    certificates: SharedDocument
    agents: SharedAgents | None


class Worker:
    """One process.

    A subclass implements `run`, which returns when `stop` is set (SIGTERM sets it), and calls `beat` within it at least every
    `supervisor.heartbeat_timeout`: a worker without a heartbeat is killed. An exception that leaves `run` is a crash, after which
    the supervisor restarts the worker; a `BootFailure` ends the agent.
    """

    death_signal = signal.SIGKILL
    """Signal to the worker when the supervisor dies. Its arena dies with the supervisor, so there is nothing to finish."""

    def __init__(self, assignment: Assignment, shared: Shared) -> None:
        self.assignment, self.shared, self.config = assignment, shared, shared.config
        self.stop = threading.Event()
        self.log = logging.getLogger(f"telegen.{assignment.name}")

    def main(self, parent: int) -> int:
        """Run in the forked process; return the exit status.

        Args:
            parent: pid of the supervisor.
        """
        die_with_parent(parent, self.death_signal)
        set_name(f"telegen-{self.assignment.name}")
        self._log_settings = LogSettings(self.assignment.name, self.config.log, self.shared.log, self._note)
        faulthandler.enable()
        # SIGABRT, which the supervisor sends to a worker that hangs, prints the stacks of all threads.
        gc.enable()
        self.install_signals()
        self.beat()
        try:
            self.prepare(parent)
            self.telemetry = self.make_telemetry()
            self.run()
        except BootFailure as error:
            self.log.error("%s", error)
            return error.status
        except Exception:
            self.log.exception("worker crashed")
            return Exit.CRASH
        return Exit.OK

    def install_signals(self) -> None:
        """Let SIGTERM end the worker; signals of a terminal are handled by the supervisor."""
        signal.signal(signal.SIGTERM, self._handle_term)
        for other in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(other, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def prepare(self, parent: int) -> None:
        """Prepare the process before it opens its own files.

        Args:
            parent: pid of the supervisor.
        """

    def make_telemetry(self) -> Telemetry:
        """Make the metrics of this process."""
        return Telemetry(self.assignment.name)

    def run(self) -> None:
        """Work until `stop` is set."""
        raise TypeError(f"{type(self).__name__} has no run()")

    @property
    def constant(self) -> dict[str, str]:
        """Labels of every sample of this worker: the cluster's name, or its UID with `kubernetes.cluster_uid`."""
        cluster, kubernetes = self.assignment.cluster, self.config.kubernetes
        name = cluster.name if cluster else kubernetes.cluster_name
        if kubernetes.cluster_uid and not name:
            name = self.shared.uid.read()
        return {"cluster": name} if name else {}

    def _note(self, text: str) -> None:
        """Keep a warning for the status page."""
        self.shared.notices.write(self.shared.rows[self.assignment.name], text)

    def beat(self) -> None:
        """Write a heartbeat, and adopt the settings of logs of the last reload."""
        self.shared.heartbeats.beat(self.shared.rows[self.assignment.name])
        self._log_settings.follow()

    def _handle_term(self, number: int, frame: FrameType | None) -> None:
        self.stop.set()


def exit_now(code: int) -> NoReturn:
    """End a forked process without the exit handlers of its parent."""
    logging.shutdown()
    os._exit(code)
