"""Check of the credentials before any process starts."""

from __future__ import annotations

from collections.abc import Mapping

from telegen.api.credentials import NoCredentials, check
from telegen.config import ConfigError
from telegen.supervisor.plan import Plan

OWN = frozenset(("watch", "custom", "elect", "shard", "identify", "review", "adapter", "certificates"))
"""Kinds of processes that need the agent's own cluster. The sampler can do without."""


def check_credentials(plan: Plan, environ: Mapping[str, str]) -> None:
    """Check what needs no request: the files with the credentials of all clusters of a plan.

    Raises:
        ConfigError: one line per cluster, each with the file and the remedy.
    """
    problems = []
    for source, context in sorted(_sources(plan)):
        try:
            check(source, environ, context=context)
        except NoCredentials as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))


def _sources(plan: Plan) -> set[tuple[str, str]]:
    """(source, context) of each cluster that the processes of a plan need."""
    own = any(one.kind in OWN and not one.cluster for one in plan.assignments)
    named = {(one.cluster.source, one.cluster.context) for one in plan.assignments if one.cluster}
    return named | ({(plan.cluster, "")} if own else set())
