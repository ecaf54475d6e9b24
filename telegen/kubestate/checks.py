"""Whether what the configuration selects exists, and can be selected in bounded time."""

from __future__ import annotations

from collections.abc import Iterator

from telegen.config import Config, ConfigError
from telegen.config.model import KubeState
from telegen.config.patterns import compile_pattern, cpu_limit
from telegen.config.validation import check_resource_names
from telegen.kubestate.registry import RESOURCES

SEARCH_TIME = 1.0
"""CPU seconds that one expression may take over the names of all families; they need 0.2 ms."""


def check_selection(config: Config) -> None:
    """Make sure that the processes can start with this selection. For the main thread.

    Raises:
        ConfigError: a resource is unknown, or an expression backtracks without end.
    """
    check_resource_names(config, RESOURCES)
    problems = list(_endless(config.kube_metrics.kube_state))
    if problems:
        raise ConfigError("\n".join(problems))


def _endless(state: KubeState) -> Iterator[str]:
    """Expressions that take too long."""
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
                    "repetitions inside repetitions, as in (a+)+, do that"
                )


def notes(config: Config) -> Iterator[str]:
    """What a selection means and may not be expected to mean: lines for the log."""
    state = config.kube_metrics.kube_state
    narrowed = "node" if state.node else "track_unscheduled_pods" if state.track_unscheduled_pods else ""
    if narrowed and state.resources != ("pods",):
        yield f"kube_metrics.kube_state.{narrowed}: of the pods only; the other resources are watched whole"
    both = [name for name in dict.fromkeys(state.namespaces) if name in state.namespaces_exclude]
    if both:
        yield f"kube_metrics.kube_state.namespaces_exclude: wins over namespaces: {', '.join(both)}"
    cluster_wide = [name for name in state.resources if not RESOURCES[name].namespaced]
    if state.namespaces and (cluster_wide or not state.resources):
        yield "kube_metrics.kube_state.namespaces: resources that are in no namespace (nodes, ...) are watched whole"
