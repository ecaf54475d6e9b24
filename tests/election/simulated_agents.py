"""Agents of one election on a simulated clock, with HTTP connections to a simulated API server."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from telegen.api.client import Client, Params
from telegen.api.credentials import credentials
from telegen.api.errors import Forbidden, Unreachable
from telegen.demo.server import SimulatedServer
from telegen.demo.state import State
from telegen.election.election import Election
from telegen.election.lease import LAYOUT, Lease, Leases, read_lease
from telegen.election.state import RANKS, ElectionSettings


class FlakyClient(Client):
    """Client whose requests can fail, lose their responses, or be refused."""

    cut = False
    lossy = False
    refused = False
    blind = False

    def get(self, path: str, params: Params, accept: str) -> Any:
        """Send a GET, unless the connection is cut."""
        if self.cut:
            raise Unreachable("the test has cut the line")
        if self.blind:
            raise Forbidden(403, "Forbidden", "the test allows no reads")
        return super().get(path, params, accept)

    def write(self, method: str, path: str, body: Any) -> Any:
        """Send a write, unless the connection is cut; if it is lossy, the write is done and its response is lost."""
        if self.cut:
            raise Unreachable("the test has cut the line")
        if self.refused:
            raise Forbidden(403, "Forbidden", "the test allows no writes")
        answer = super().write(method, path, body)
        if self.lossy:
            raise Unreachable("the test has lost the answer")
        return answer


class Member:
    """One agent."""

    def __init__(self, all_agents: SimulatedAgents, identity: str, shards: int, layout: int = LAYOUT) -> None:
        self._all, self.identity, self.shards, self.frozen = all_agents, identity, shards, False
        self.division = (layout, shards)
        self.line = FlakyClient(credentials(all_agents.server.url, {}))
        self.verbs: list[str] = []
        names = tuple(f"telegen-shard-{number}" for number in range(shards))
        leases = Leases(self.line, "telegen", "telegen", self.verbs.append)
        settings = ElectionSettings(identity, names, layout=layout)
        self.election = Election(leases, settings, all_agents.draw.random, lambda: all_agents.now)
        self._due = 0.0
        self._there: set[str] = set()

    def live(self) -> None:
        """Do one pass of the worker's loop."""
        if self.frozen:
            return
        if self.election.watches and not self.line.cut:
            there = self._all.leases()
            for name in self._there - set(there):
                self.election.record(Lease(name))
            for lease in there.values():
                self.election.record(lease)
            self._there = set(there)
            self._due = 0.0
        if self._all.now >= self._due:
            self._due = self._all.now + self.election.step()

    def serves(self, shard: int) -> bool:
        """Return true if its web workers would serve the shard now."""
        return self.election.serves_until(shard) > self._all.now


class SimulatedAgents:
    """All agents, their API server and their clock."""

    def __init__(self, server: SimulatedServer, seed: int, shards: int = 1) -> None:
        self.server, self.shards, self.now = server, shards, 1000.0
        self.draw = random.Random(seed)
        self.members: list[Member] = []
        self._joined = 0

    def join(self, shards: int = 0, layout: int = LAYOUT) -> Member:
        """Add an agent."""
        self._joined += 1
        member = Member(self, f"agent-{self._joined}", shards or self.shards, layout)
        self.members.append(member)
        return member

    def end(self, member: Member) -> None:
        """Let an agent end, which releases its Leases."""
        self.members.remove(member)
        member.election.resign()

    def delete(self, *names: str) -> None:
        """Delete Leases, as a user may with kubectl."""
        for name in names:
            self.server.state.delete("leases", "telegen", name)

    def turn(self, seconds: float, tick: float = 0.25) -> None:
        """Advance the clock, and check after each step of an agent that no shard is served twice."""
        end = self.now + seconds
        while self.now < end:
            self.now += tick
            self.draw.shuffle(self.members)
            for member in list(self.members):
                member.live()
                self.check()

    def check(self) -> None:
        """Assert that no shard has two serving agents, and that all serving agents have the same layout and number of shards."""
        shown = [(shard, member) for member in self.members for shard in range(member.shards) if member.serves(shard)]
        assert len({shard for shard, _ in shown}) == len(shown), [(shard, member.identity) for shard, member in shown]
        assert len({member.division for _, member in shown}) <= 1, [(member.division, member.identity) for _, member in shown]

    def serving(self, shard: int = 0) -> list[Member]:
        """Agents that serve a shard now, frozen ones included, since they may continue at any moment."""
        return [member for member in self.members if shard < member.shards and member.serves(shard)]

    def standby(self, shard: int = 0) -> Member | None:
        """Standby of a shard, None if there is none."""
        return next((member for member in self.members if member.election.stands_by(shard)), None)

    def waiting(self) -> list[Member]:
        """Agents that hold no Lease."""
        holders = {lease.holder for lease in self.leases().values()}
        return [member for member in self.members if member.identity not in holders]

    def leases(self) -> dict[str, Lease]:
        """Stored Leases by name."""
        found = map(lambda stored: read_lease(stored.load()), self.server.state.collections["leases"].objects.values())
        return {lease.name: lease for lease in found}

    def holder(self, shard: int = 0, rank: int = 0) -> str:
        """Holder's identity in a Lease, "" for none."""
        lease = self.leases().get(f"telegen-shard-{shard}{RANKS[rank]}")
        return lease.holder if lease else ""


@contextmanager
def simulated_agents(members: int, seed: int = 1, shards: int = 1) -> Iterator[SimulatedAgents]:
    """Start a server, and agents that have not taken a step yet."""
    state = State()
    state.define("leases", "Lease", "coordination.k8s.io/v1")
    server = SimulatedServer(state).start()
    try:
        made = SimulatedAgents(server, seed, shards)
        for _ in range(members):
            made.join()
        yield made
    finally:
        server.stop()
