"""State that Docker and podman keep for a container: its health check and its restarts."""

from __future__ import annotations

from typing import Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.collector import CONTAINERS, Collector, Families, already_parsed
from telegen.cadvisor.node import RuntimeState

family = Families(RuntimeState)

FAMILIES = (
    family.gauge(
        "container_health_state",
        "Health check: 1 healthy, 0 starting or unhealthy, -1 none defined (Docker's State.Health, podman's healthcheck.log).",
        lambda reading: reading.health,
    ),
    family.gauge(
        "container_label_restartcount",
        "Restarts by the restart policy since the container was created (RestartCount of Docker and podman).",
        lambda reading: reading.restarts,
    ),
)


def read(context: Context) -> Optional[RuntimeState]:
    return context.node.facts.state(context.cgroup)


COLLECTOR = Collector("health", "", FAMILIES, read, already_parsed, CONTAINERS)
