"""What the supervisor makes and every child inherits over fork. It lives as long as the supervisor, whoever ends."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from telegen.config import Config
from telegen.config.checks import MOST_SHARDS
from telegen.process.listeners import Listeners
from telegen.shm.heartbeats import Board
from telegen.shm.layout import Arena
from telegen.shm.serving_deadlines import Gates
from telegen.shm.shared_value import ShardCell, TextCell
from telegen.supervisor.plan import Plan
from workers._base import Shared

ROWS = 2048
"""Rows of the board: the supervisor's and one per worker name that was ever used."""


class Heritage:
    """Shared memory and sockets.

    Attributes:
        board: signs of life.
        gates: until when which shard may be served.
        shard: ours by the ordinal in a StatefulSet, once it is known.
        uid: of the cluster, once it is known.
        listeners: the listening sockets by setting.
    """

    def __init__(self, environ: Mapping[str, str], listeners: Listeners) -> None:
        self.listeners = listeners
        self.board = Board(ROWS)
        self.board.enter(0, os.getpid())
        self.gates = Gates(MOST_SHARDS)
        self.shard = ShardCell()
        self.uid = TextCell()
        self._environ = environ
        self._arenas: dict[str, Arena] = {}
        self._rows = {"supervisor": 0}

    def make_room(self, plan: Plan, limit: int) -> None:
        """See that each worker of a plan has a row and, where it publishes, an arena.

        Args:
            limit: bytes of an arena that is new.
        """
        for assignment in plan.assignments:
            if assignment.stores and assignment.name not in self._arenas:
                self._arenas[assignment.name] = Arena.create(assignment.name, limit)
            if assignment.name not in self._rows:
                self._rows[assignment.name] = len(self._rows)

    def keep(self, names: Iterable[str]) -> None:
        """Give up the arenas of all other workers."""
        for name in set(self._arenas).difference(names):
            self._arenas.pop(name).close()

    def row(self, name: str) -> int:
        """A worker's row on the board; it stays the same for good."""
        return self._rows[name]

    def clear_arena(self, name: str) -> None:
        """Forget what a worker has published, if it publishes."""
        if name in self._arenas:
            self._arenas[name].clear()

    def shared(self, config: Config, plan: Plan) -> Shared:
        """What a worker of this plan is to see."""
        names = ["supervisor", *(assignment.name for assignment in plan.assignments)]
        return Shared(
            config=config,
            cluster=plan.cluster,
            environ=self._environ,
            assignments=plan.assignments,
            arenas=self._arenas,
            board=self.board,
            rows={name: self._rows[name] for name in names},
            listeners=self.listeners,
            gates=self.gates,
            shard=self.shard,
            uid=self.uid,
            group=plan.group,
        )
