"""Checks of the selected resources and of the expressions that select families."""

from __future__ import annotations

from collections.abc import Iterator

from telegen.config import Config
from telegen.config.patterns import slow_patterns
from telegen.config.validation import resource_problems
from telegen.kubestate.packs.registry import allowlist_names
from telegen.kubestate.registry import RESOURCES


def selection_problems(config: Config) -> Iterator[str]:
    """Yield one line per part of the selection with which the workers cannot start: an unknown resource, or an expression that
    takes too long. For the main thread only: the time limit is a signal."""
    yield from resource_problems(config, RESOURCES, allowlist_names)
    state = config.kube_metrics.kube_state
    names = [family.name for resource in RESOURCES.values() for family in resource.families]
    for key in ("metric_allowlist", "metric_denylist", "metric_opt_in_list"):
        yield from slow_patterns(getattr(state, key), names, f"kube_metrics.kube_state.{key}")


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
