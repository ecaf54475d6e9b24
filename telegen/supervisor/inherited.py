"""State that the supervisor makes and every child inherits over fork. It outlives each child."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from telegen.config import Config
from telegen.config.document import MAX_BYTES as RULES_BYTES
from telegen.config.validation import MOST_SHARDS
from telegen.process.listeners import Listeners, close_all
from telegen.process.os_process import BootFailure, Exit, Lifeline
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
from telegen.supervisor import web_files
from telegen.supervisor.plan import WATCHERS, Plan
from workers._base import READERS, SERVERS, Assignment, Shared

ROWS = 2048
"""Rows of heartbeats: the supervisor's and one per worker name that was ever used."""
CUSTOM_BYTES = 16 << 20
"""Maximum of bytes of the configuration of custom resources as JSON."""
CERTIFICATES_BYTES = 1 << 20
"""Maximum of bytes of the certificates of the adapter."""
STATE_BYTES = 1 << 20
"""Maximum of bytes of the state of the supervisor."""
ROOT_PROBLEMS_BYTES = 64 << 10
"""Maximum of bytes of the problems of the paths of the node."""
USAGE_BYTES = 16 << 20
"""Maximum of bytes of the usage of the node and its pods."""
CERTIFICATES_BYTES = 1 << 20
"""Maximum of bytes of the certificates of the adapter."""
NOTES_BYTES = 384 << 10
"""Maximum of bytes of one worker's lines for the status page."""


class Inherited:
    """Shared memory and sockets.

    Attributes:
        heartbeats: time of the last heartbeat of each process.
        deadlines: until when each shard may be served.
        lease_problem: why Leases cannot be read or written, "" if they can.
        lifeline: ends processes below the web worker together with the supervisor.
        log: settings of logs since the last reload (see `telegen.process.log_settings`).
        shard: shard by the ordinal in a StatefulSet, once it is known.
        uid: UID of the cluster, once it is known.
        events_position: resourceVersion and time of the last Kubernetes event that was sent.
        custom: the configuration of custom resources in force.
        series: number of series of each worker by budget.
        state: of the supervisor, `telegen.kubemetrics.agent_state.AgentState` as MessagePack.
        holders: holder of each Lease of a shard as last observed, as MessagePack.
        notices: last warning of each process.
        web_file: content of the web configuration file.
        rules: content of the rules file of the adapter.
        root_problems: what is wrong with the paths of the node's file systems, one line each.
        usage: of the node and its pods, `telegen.cadvisor.usage.document.UsageDocument` as MessagePack.
        agent_tls: TLS of adapter.agent_address, in the form of the web configuration file.
        listeners: the listening sockets by setting.
        certificates: of the adapter.
    """

    def __init__(self, environ: Mapping[str, str], listeners: Listeners) -> None:
        self.listeners = listeners
        self.heartbeats = Heartbeats(ROWS)
        self.heartbeats.enter(0, os.getpid())
        self.deadlines = ServingDeadlines(MOST_SHARDS)
        self.shard = SharedShard()
        self.uid = SharedText()
        self.events_position = SharedText()
        self.series = SeriesLedger(ROWS)
        self.lease_problem = SharedText()
        self.log = SharedText()
        self.lifeline = Lifeline()
        self.web_file = SharedDocument("web-file", web_files.MAX_BYTES)
        self.rules = SharedDocument("rules", RULES_BYTES)
        self.state = SharedDocument("state", STATE_BYTES)
        self.holders = SharedDocument("holders", STATE_BYTES)
        self.notices = Notices(ROWS)
        self.root_problems = SharedDocument("root-problems", ROOT_PROBLEMS_BYTES)
        self.usage = SharedDocument("usage", USAGE_BYTES)
        self.agent_tls = SharedDocument("agent-tls", web_files.MAX_BYTES)
        self._reviews: ReviewQueue | None = None
        self._agents: SharedAgents | None = None
        self.custom = SharedDocument("custom", CUSTOM_BYTES)
        self.certificates = SharedDocument("certificates", CERTIFICATES_BYTES)
        self._notes: dict[str, SharedDocument] = {}
        self._environ = environ
        self._arenas: dict[str, Arena] = {}
        self._statuses: dict[str, StoreStatuses] = {}
        self._rows = {"supervisor": 0}

    def make_room(self, plan: Plan, limit: int) -> None:
        """Give each worker of a plan a row and, if it publishes, an arena.

        Everything that exists stays: the plan before remains in force if its successor fails, and processes that a new plan does
        not concern go on using what they have.

        Args:
            limit: bytes of a new arena.

        Raises:
            BootFailure: there are no rows left.
        """
        fresh = {assignment.name for assignment in plan.assignments}.difference(self._rows)
        if len(self._rows) + len(fresh) > ROWS:
            raise BootFailure(Exit.BOOT, f"more than {ROWS} names of processes; configure fewer groups, clusters or pod_processes")
        if plan.reviews_tokens and not self._reviews:
            self._reviews = ReviewQueue()
        if not self._agents and any(assignment.kind == "poll" for assignment in plan.assignments):
            self._agents = SharedAgents()
        for assignment in plan.assignments:
            if assignment.stores and assignment.name not in self._arenas:
                self._arenas[assignment.name] = Arena.create(assignment.name, limit)
            if assignment.name not in self._rows:
                self._rows[assignment.name] = len(self._rows)

    def adopt_statuses(self, plan: Plan) -> None:
        """Give each watch worker of a plan statuses of its stores, and drop all others. Those of the same stores stay."""
        before = self._statuses
        self._statuses = {one.name: self._statuses_of(one) for one in plan.assignments if one.kind in WATCHERS}
        kept = set(map(id, self._statuses.values()))
        for statuses in before.values():
            if id(statuses) not in kept:
                statuses.close()
        self._notes = {
            one.name: self._notes.get(one.name) or SharedDocument("notes", NOTES_BYTES) for one in plan.assignments if one.kind == "custom"
        }

    def _statuses_of(self, assignment: Assignment) -> StoreStatuses:
        known = self._statuses.get(assignment.name)
        return known if known and tuple(known) == assignment.stores else StoreStatuses(assignment.stores)

    def forget_series(self, names: Iterable[str]) -> None:
        """Give back the series of workers that a plan does not have any more."""
        for name in names:
            self.series.forget(self._rows[name])

    def keep_arenas(self, names: Iterable[str]) -> None:
        """Close the arenas of all other workers."""
        for name in set(self._arenas).difference(names):
            self._arenas.pop(name).close()

    def close_unused(self, assignment: Assignment) -> None:
        """Close in a worker's process what only others use: a worker that a reload keeps would hold an old port or the memory of an
        old arena."""
        self.lifeline.leave()
        if assignment.kind != "custom":
            self.custom.close()
        if not assignment.stores:
            self.series.close()
        if assignment.kind not in ("sample", "web"):
            self.usage.close()
        if assignment.kind not in READERS:
            self.keep_arenas([assignment.name])
        if assignment.kind not in SERVERS:
            close_all(self.listeners)
        if assignment.kind != "adapter":
            self.rules.close()
        if assignment.kind not in ("adapter", "certificates", "poll"):
            self.certificates.close()
        if self._agents and assignment.kind not in ("adapter", "poll"):
            self._agents.close()
        if assignment.kind != "web":
            self.web_file.close()
            self.agent_tls.close()
            for name in set(self._notes).difference([assignment.name]):
                self._notes.pop(name).close()

    def row(self, name: str) -> int:
        """Row of a worker's heartbeats; it never changes."""
        return self._rows[name]

    def clear_arena(self, name: str) -> None:
        """Remove all that a worker has published, and the statuses of its stores."""
        if name in self._arenas:
            self._arenas[name].clear()
        self.series.forget(self._rows[name])
        self.clear_statuses(name)

    def clear_statuses(self, name: str) -> None:
        """Forget the statuses of a worker's stores: its next process knows nothing of them."""
        if name in self._statuses:
            self._statuses[name].clear()
        if name in self._notes:
            self._notes[name].write(b"")

    def shared(self, config: Config, plan: Plan) -> Shared:
        """State for a worker of this plan."""
        names = ["supervisor", *(assignment.name for assignment in plan.assignments)]
        return Shared(
            config=config,
            cluster=plan.cluster,
            environ=self._environ,
            assignments=plan.assignments,
            arenas=self._arenas,
            heartbeats=self.heartbeats,
            rows={name: self._rows[name] for name in names},
            listeners=self.listeners,
            deadlines=self.deadlines,
            lease_problem=self.lease_problem,
            log=self.log,
            lifeline=self.lifeline,
            shard=self.shard,
            uid=self.uid,
            events_position=self.events_position,
            web_file=self.web_file,
            rules=self.rules,
            root_problems=self.root_problems,
            usage=self.usage,
            agent_tls=self.agent_tls,
            state=self.state,
            holders=self.holders,
            notices=self.notices,
            reviews=self._reviews if plan.reviews_tokens else None,
            statuses=self._statuses,
            group=plan.group,
            custom=self.custom,
            notes=self._notes,
            series=self.series,
            certificates=self.certificates,
            agents=self._agents,
        )
