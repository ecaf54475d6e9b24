"""Plan of the processes of the adapter: it neither watches objects nor samples a node."""

from __future__ import annotations

from collections.abc import Mapping

from telegen.config import Config, ConfigError, cluster_source
from telegen.supervisor.plan import Plan
from workers._base import Assignment

ASSIGNMENTS = (Assignment("certificates", "certificates"), Assignment("adapter", "adapter"))
"""One per process. Those that serve come last: they read what the others publish."""


def make_adapter_plan(config: Config, environ: Mapping[str, str], demo: str | None = None) -> Plan:
    """Decide which processes of the adapter run.

    Args:
        demo: URL of the simulated API server.

    Raises:
        ConfigError: there is no API server, without which no client can be known.
    """
    cluster = demo or cluster_source(config, environ)
    if not cluster:
        raise ConfigError("adapter: no API server found: run in a pod with an account, or set kube_metrics.kube_state.kubeconfig")
    adapter = config.adapter
    return Plan(cluster, ASSIGNMENTS, f"serves {', '.join(adapter.groups)} as Service {adapter.service}; API server: {cluster}")
