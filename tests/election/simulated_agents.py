"""Many agents of one election on a clock that a test turns, against a simulated API server at the wire."""

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
from telegen.election.lease import Lease, Leases, read_lease
from telegen.election.rules import STANDBY, Rules


class Line(Client):
    """A connection that can be cut, and one that loses answers."""

    cut = False
    lossy = False
    refused = False

    def get(self, path: str, params: Params, accept: str) -> Any:
        """A GET, unless the line is cut."""
        if self.cut:
            raise Unreachable("the test has cut the line")
        return super().get(path, params, accept)

    def write(self, method: str, path: str, body: Any) -> Any:
        """A write, unless the line is cut; on a lossy one it is done, but the answer never comes."""
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

    def __init__(self, crowd: Crowd, identity: str, shards: int, draw: random.Random) -> None:
        self._crowd, self.identity, self.shards, self.frozen = crowd, identity, shards, False
        self.line = Line(credentials(crowd.server.url, {}))
        self.verbs: list[str] = []
        names = tuple(f"telegen-shard-{number}" for number in range(shards))
        self.rules = Rules(identity, names)
        leases = Leases(self.line, "telegen", "telegen", self.verbs.append)
        self.election = Election(leases, self.rules, draw.random, lambda: crowd.now)
        self._due = 0.0
        self._there: set[str] = set()

    def live(self) -> None:
        """Do what is due, as the worker's loop does."""
        if self.frozen:
            return
        if self.election.watches and not self.line.cut:
            there = self._crowd.leases()
            for name in self._there - set(there):
                self.election.see(Lease(name))
            for lease in there.values():
                self.election.see(lease)
            self._there = set(there)
            self._due = 0.0
        if self._crowd.now >= self._due:
            self._due = self._crowd.now + self.election.step()

    def serves(self, shard: int) -> bool:
        """Whether its web workers would show the shard's series now."""
        return self.election.serves_until(shard) > self._crowd.now


class Crowd:
    """All of them."""

    def __init__(self, server: SimulatedServer, seed: int, shards: int = 1) -> None:
        self.server, self.shards, self.now = server, shards, 1000.0
        self.draw = random.Random(seed)
        self.members: list[Member] = []
        self._joined = 0

    def join(self, shards: int = 0) -> Member:
        """One more agent."""
        self._joined += 1
        member = Member(self, f"agent-{self._joined}", shards or self.shards, self.draw)
        self.members.append(member)
        return member

    def turn(self, seconds: float, tick: float = 0.25) -> None:
        """Let time pass; at every moment no shard may be served twice."""
        end = self.now + seconds
        while self.now < end:
            self.now += tick
            self.draw.shuffle(self.members)
            for member in list(self.members):
                member.live()
                self.check()

    def check(self) -> None:
        """No shard is served by two, and all that are served are of one division."""
        shown = [(shard, member) for member in self.members for shard in range(member.shards) if member.serves(shard)]
        assert len({shard for shard, _ in shown}) == len(shown), [(shard, member.identity) for shard, member in shown]
        assert len({member.shards for _, member in shown}) <= 1, [(member.shards, member.identity) for _, member in shown]

    def serving(self, shard: int = 0) -> list[Member]:
        """Who serves a shard now, the frozen included: they may wake up at any moment."""
        return [member for member in self.members if shard < member.shards and member.serves(shard)]

    def standby(self, shard: int = 0) -> Member | None:
        """Who is next in line."""
        return next((member for member in self.members if member.election.stands_by(shard)), None)

    def leases(self) -> dict[str, Lease]:
        """The records as they are stored."""
        found = map(lambda stored: read_lease(stored.load()), self.server.state.collections["leases"].objects.values())
        return {lease.name: lease for lease in found}

    def holder(self, shard: int = 0, standby: bool = False) -> str:
        """Whose name is in a Lease."""
        name = f"telegen-shard-{shard}{STANDBY if standby else ''}"
        lease = self.leases().get(name)
        return lease.holder if lease else ""


@contextmanager
def crowd(members: int, seed: int = 1, shards: int = 1, nodes: int = 0) -> Iterator[Crowd]:
    """A crowd of so many, of which nobody has done anything yet; with 0 `nodes` the API server does not know what nodes are."""
    state = State()
    state.define("leases", "Lease", "coordination.k8s.io/v1")
    if nodes:
        state.define("nodes", "Node", "v1")
        state.fill(("nodes", {"metadata": {"name": f"node-{number}", "uid": f"node-{number}"}}) for number in range(nodes))
    server = SimulatedServer(state).start()
    try:
        made = Crowd(server, seed, shards)
        for _ in range(members):
            made.join()
        yield made
    finally:
        server.stop()
