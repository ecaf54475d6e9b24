"""Metrics and log lines of polling."""

from __future__ import annotations

import logging
import time

from telegen.adapter.agents.poller import RESULTS
from telegen.adapter.agents.status import PollStatus
from telegen.adapter.agents.store import AgentStore
from telegen.kubemetrics.poll_telemetry import PollTelemetry

CURES = {
    "not_ready": "it begins to answer after two passes of its sampler",
    "unreachable": "check adapter.agent_address of the agent, and network policies",
    "tls": "check that the agent mounts the Secret of the adapter's certificates (adapter.agent_tls_dir)",
    "timeout": "check the load of its node, and network policies",
    "malformed": "its last good document is used until max_staleness; check what listens there",
    "refused": "check that adapter.agents_service selects agents of telegen",
    "full": "run the adapter with fewer agents",
}


class PollObserver:
    """See `telegen.adapter.agents.poller.PollObserver`."""

    def __init__(self, log: logging.Logger) -> None:
        self._log, self._telemetry = log, PollTelemetry(RESULTS)

    def polled(self, result: str, seconds: float) -> None:
        """Count a poll."""
        self._telemetry.polls[result].inc()
        self._telemetry.seconds.inc(seconds)

    def failed(self, agent: str, result: str, cause: str) -> None:
        """Log the first of several failures."""
        self._log.warning("agent %s: %s; %s", agent, cause, CURES[result])

    def recovered(self, agent: str) -> None:
        """Log the end of failures."""
        self._log.info("agent %s: answers again", agent)

    def skewed(self, agent: str, seconds: float) -> None:
        """Log a clock that is wrong, and one that is right again."""
        if seconds:
            side = "ahead of" if seconds > 0 else "behind"
            self._log.warning(
                "agent %s: its clock is %.1f s %s the adapter's; its times are corrected; synchronize the clocks of both nodes",
                agent, abs(seconds), side,
            )  # fmt: skip
        else:
            self._log.info("agent %s: its clock agrees with the adapter's again", agent)

    def note(self, status: PollStatus, store: AgentStore) -> None:
        """Set the gauges."""
        telemetry, now = self._telemetry, time.time()
        telemetry.known.set(status.known)
        telemetry.ready.set(status.ready)
        telemetry.silent.set(status.silent)
        telemetry.oldest.set(max((now - one.answered for one in store.agents.values() if not one.departed), default=0.0))
        telemetry.skewed.set(sum(bool(one.offset) for one in store.agents.values()))
