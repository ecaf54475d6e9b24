"""State of the supervisor that web processes show: its processes, and the configuration in force."""

from __future__ import annotations

import msgspec


class ProcessState(msgspec.Struct, frozen=True):
    """A process of the plan.

    Attributes:
        state: `running`, `restarting`, or `waiting` if its work is done, another agent holds its shard, or its shard is not known.
        pid: 0 if it does not run.
        since: time of the last start, `due`: of the next one, in seconds of CLOCK_MONOTONIC.
        row: of the heartbeats.
    """

    name: str
    state: str
    pid: int
    since: float
    due: float
    restarts: int
    row: int


class SettingState(msgspec.Struct, frozen=True):
    """A setting in force: its value in YAML, with secrets masked, and its origin."""

    path: str
    value: str
    origin: str


class AgentState(msgspec.Struct, frozen=True):
    """The supervisor.

    Attributes:
        started: in seconds of CLOCK_MONOTONIC.
        reason: why these processes run.
    """

    started: float = 0.0
    reason: str = ""
    processes: tuple[ProcessState, ...] = ()
    settings: tuple[SettingState, ...] = ()
