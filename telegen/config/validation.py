"""What the selection of objects and families cannot be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from telegen.config.model import Cadvisor, KubeMetrics, KubeState, Names

_LABEL = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile("(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_LEAST_RESYNC = 10.0
MOST_SHARDS = 64
"""Shards that the agents of a cluster may divide among themselves by Leases."""


def selection_problems(state: KubeState, where: str) -> Iterator[str]:
    """A line per fault, each beginning with the path of its key.

    Args:
        where: path of the section.
    """
    for key in ("namespaces", "namespaces_exclude"):
        # These become part of URLs and field selectors.
        for name in getattr(state, key):
            if not _LABEL.fullmatch(name):
                yield f"{where}.{key}: {name!r} is no name of a namespace"
    if state.namespaces and set(state.namespaces) <= set(state.namespaces_exclude):
        yield f"{where}.namespaces: namespaces_exclude leaves all of them out"
    if state.node and not _SUBDOMAIN.fullmatch(state.node):
        yield f"{where}.node: {state.node!r} is no name of a node"
    narrowed = "node" if state.node else "track_unscheduled_pods" if state.track_unscheduled_pods else ""
    if narrowed and state.resources and "pods" not in state.resources:
        yield f"{where}.{narrowed}: is about pods, which resources leaves out"
    if 0 < state.resync_period < _LEAST_RESYNC:
        yield f"{where}.resync_period: must be 0s (never) or at least 10s, not {state.resync_period}"
    yield from _pod_problems(state, where)
    counts = Counter(entry.name for entry in state.clusters)
    yield from (f"{where}.clusters: {name} is there {count} times" for name, count in counts.items() if count > 1)
    yield from _allowlist_problems(state, where)


def stamp_problems(cadvisor: Cadvisor, where: str) -> Iterator[str]:
    """As `selection_problems`, of the labels that are added to those of containers."""
    for key in ("pod_labels", "pod_annotations", "namespace_labels"):
        yield from _wildcard_problems(getattr(cadvisor, key), f"{where}.{key}")


def _pod_problems(state: KubeState, where: str) -> Iterator[str]:
    """What the pod whose ordinal says which shard is taken cannot be."""
    if state.pod and not _SUBDOMAIN.fullmatch(state.pod):
        yield f"{where}.pod: {state.pod!r} is no name of a pod"
    if state.pod_namespace and not _LABEL.fullmatch(state.pod_namespace):
        yield f"{where}.pod_namespace: {state.pod_namespace!r} is no name of a namespace"
    if state.pod and not state.pod_namespace:
        yield f"{where}.pod: needs pod_namespace"
    if state.pod_namespace and not state.pod:
        # Each agent of the StatefulSet would take everything.
        yield f"{where}.pod_namespace: needs pod, which is empty: that of metadata.name by the downward API"
    if state.pod and (state.shard, state.total_shards) != (0, 1):
        yield f"{where}.pod: cannot be used with shard and total_shards: the StatefulSet says both"


def _allowlist_problems(state: KubeState, where: str) -> Iterator[str]:
    for key in ("labels_allowlist", "annotations_allowlist"):
        for resource, names in getattr(state, key).items():
            yield from _wildcard_problems(names, f"{where}.{key}.{resource}")


def _wildcard_problems(names: Names, where: str) -> Iterator[str]:
    """Keys with more than one wildcard."""
    for at, name in enumerate(names):
        if name.count("*") > 1:
            yield f"{where}[{at}]: {name}: at most one * is allowed"


def scope_problems(kube: KubeMetrics) -> Iterator[str]:
    """A line per fault of the scope and the election."""
    election, state = kube.election, kube.kube_state
    where = "kube_metrics.election"
    if election.namespace and not _LABEL.fullmatch(election.namespace):
        yield f"{where}.namespace: {election.namespace!r} is no name of a namespace"
    if kube.node_name and not _SUBDOMAIN.fullmatch(kube.node_name):
        yield f"kube_metrics.node_name: {kube.node_name!r} is no name of a node"
    if election.lease_duration % 1:
        yield f"{where}.lease_duration: must be whole seconds, not {election.lease_duration}"
    # As in client-go: whoever must stop does so before another may begin, and has had more than one try.
    if election.renew_deadline >= election.lease_duration:
        yield f"{where}.renew_deadline: must be less than lease_duration ({election.lease_duration})"
    if election.renew_deadline < 1.2 * election.retry_period:
        yield f"{where}.renew_deadline: must be at least 1.2 times retry_period ({election.retry_period})"
    if kube.scope != "node":
        return
    for key in chosen_share(state):
        yield f"kube_metrics.scope: node cannot be used with kube_state.{key}"
    if state.total_shards > MOST_SHARDS:
        yield f"kube_metrics.kube_state.total_shards: at most {MOST_SHARDS} with scope node"


def chosen_share(state: KubeState) -> list[str]:
    """The settings by which somebody has chosen the share of this very agent."""
    return [key for key in ("shard", "node", "track_unscheduled_pods", "pod", "clusters") if getattr(state, key)]
