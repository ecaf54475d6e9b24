"""Checks of the selected resources and of the expressions that select families."""

from __future__ import annotations

from collections.abc import Iterator

from telegen.config import Config, ConfigError
from telegen.config.model import KubeState
from telegen.config.patterns import compile_pattern, cpu_limit
from telegen.config.validation import check_resource_names
from telegen.kubestate.registry import RESOURCES

SEARCH_TIME = 1.0
"""CPU seconds that one expression may take over the names of all families. Usual ones take 0.2 ms."""


def check_selection(config: Config) -> None:
    """Refuse a selection with which the workers cannot start. Call it in the main thread: the time limit is a signal.

    Raises:
        ConfigError: a resource is unknown, or an expression takes too long.
    """
    check_resource_names(config, RESOURCES)
    problems = list(_endless(config.kube_metrics.kube_state))
    if problems:
        raise ConfigError("\n".join(problems))


def _endless(state: KubeState) -> Iterator[str]:
    """Yield an error for each expression that backtracks for longer than `SEARCH_TIME`."""
    # Python's expressions have no time limit of their own, and a worker that hangs in one is restarted for ever.
    names = [family.name for resource in RESOURCES.values() for family in resource.families]
    for key in ("metric_allowlist", "metric_denylist", "metric_opt_in_list"):
        for at, pattern in enumerate(getattr(state, key)):
            search = compile_pattern(pattern).search
            try:
                with cpu_limit(SEARCH_TIME):
                    for name in names:
                        search(name)
            except TimeoutError as error:
                yield (
                    f"kube_metrics.kube_state.{key}[{at}]: {pattern[:100]!r} takes {error} on the names of the families; "
                    "avoid repetitions inside repetitions, as in (a+)+"
                )


def notes(config: Config) -> Iterator[str]:
    """Yield log lines about effects of a selection that users may not expect."""
    state = config.kube_metrics.kube_state
    narrowed = "node" if state.node else "track_unscheduled_pods" if state.track_unscheduled_pods else ""
    if narrowed and state.resources != ("pods",):
        yield f"kube_metrics.kube_state.{narrowed}: selects pods only; other resources are watched completely"
    both = [name for name in dict.fromkeys(state.namespaces) if name in state.namespaces_exclude]
    if both:
        yield f"kube_metrics.kube_state.namespaces_exclude: wins over namespaces: {', '.join(both)}"
    cluster_wide = [name for name in state.resources if not RESOURCES[name].namespaced]
    if state.namespaces and (cluster_wide or not state.resources):
        yield "kube_metrics.kube_state.namespaces: cluster-scoped resources (nodes, ...) are watched completely"
