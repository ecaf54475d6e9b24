"""Plan of the processes of the adapter, none of which keeps stores of objects or samples a node."""

from __future__ import annotations

from collections.abc import Mapping

from telegen.config import Config, ConfigError, cluster_source
from telegen.config.detect import pod_namespace
from telegen.supervisor.plan import Plan
from workers._base import Assignment

PROCESSES = CERTIFICATES, POLL, ADAPTER = tuple(Assignment(kind, kind) for kind in ("certificates", "poll", "adapter"))
"""One process each. The one that serves comes last: it reads what the others publish."""

AFTER_DRAIN = 2.0
"""Seconds for the responses under way after `drain`."""


def make_adapter_plan(config: Config, environ: Mapping[str, str], demo: str | None = None) -> Plan:
    """Decide which processes of the adapter run.

    Args:
        demo: URL of the simulated API server.

    Raises:
        ConfigError: there is no API server, without which no client can be known, or agents cannot be found.
    """
    cluster = demo or cluster_source(config, environ)
    if not cluster:
        raise ConfigError("adapter: no API server found: run in a pod with an account, or set kube_metrics.kube_state.kubeconfig")
    adapter = config.adapter
    if adapter.agents_service and not pod_namespace(environ):
        raise ConfigError('adapter.agents_service: its namespace is unknown outside a pod: set POD_NAMESPACE, or agents_service: ""')
    if not adapter.tls.cert_file and not pod_namespace(environ):
        raise ConfigError("adapter.tls: the namespace of its own CA is unknown outside a pod: set POD_NAMESPACE, or cert_file and key_file")
    # Checked here, because agents with a shorter grace period have no use for it.
    grace = config.supervisor.grace_period
    if adapter.drain > grace - AFTER_DRAIN:
        most = f"at least {AFTER_DRAIN:.0f} s less than supervisor.grace_period ({grace})"
        raise ConfigError(f"adapter.drain: must be {most}, not {adapter.drain}")
    assignments = (CERTIFICATES, *([POLL] if adapter.agents_service else []), ADAPTER)
    groups = ", ".join(adapter.groups) or "no API group"
    return Plan(cluster, assignments, f"serves {groups} as Service {adapter.service}; API server: {cluster}")
