"""Which processes there are to be, by the configuration and by what the environment offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from telegen.cadvisor.registry import enabled_collectors
from telegen.config import Config, ConfigError, NamedCluster, detect, election_namespace
from telegen.kubestate.checks import check_selection
from telegen.kubestate.registry import DEFAULT, RESOURCES
from workers._base import Assignment, Group

REST = "cluster"
"""The group of the resources that are in no group."""
UNKNOWN = (0, 0)
"""The shard of an agent whose StatefulSet has not been seen yet: it takes nothing."""


@dataclass(frozen=True)
class Plan:
    """What is to run.

    Attributes:
        cluster: where the agent's own cluster is: `in-cluster`, `kubeconfig:PATH`, a URL, or "" for none.
        assignments: one per process; the largest resources first.
        reason: why, in words.
        group: the agents among which the cluster is divided by Leases; None in cluster scope.
    """

    cluster: str
    assignments: tuple[Assignment, ...]
    reason: str
    group: Group | None = None

    @property
    def sources(self) -> set[str]:
        """All clusters that are asked for something, as `cluster` names its own."""
        return {self.cluster, *(one.cluster.source for one in self.assignments if one.cluster)}

    @property
    def follows(self) -> bool:
        """Whether the shard is found out while the agent runs."""
        return any(assignment.kind == "shard" for assignment in self.assignments)

    @property
    def identifies(self) -> bool:
        """Whether nothing is collected before the cluster's UID is known."""
        return any(assignment.kind == "identify" for assignment in self.assignments)

    @property
    def shard(self) -> tuple[int, int] | None:
        """(number, of how many): what this agent takes of all objects, by its configuration or its ordinal; None in node
        scope, or where nothing is watched."""
        shards = [one.shard for one in self.assignments if one.kind == "watch" and one.gate is None]
        return shards[0] if shards and self.group is None else None

    def with_shard(self, shard: tuple[int, int] | None) -> Plan:
        """The plan by which this shard is taken, once it has been found out."""
        if not self.follows or shard is None:
            return self
        return replace(
            self,
            assignments=tuple(replace(one, shard=shard) if one.kind == "watch" else one for one in self.assignments),
        )


def watched_resources(plan: Plan) -> list[str]:
    """Names of the resources that the plan's processes watch, each once."""
    stores = (store for assignment in plan.assignments if assignment.kind == "watch" for store in assignment.stores)
    return list(dict.fromkeys(store.partition("/")[0] for store in stores))


def make_plan(config: Config, environ: Mapping[str, str], demo: str | None = None) -> Plan:
    """Decide what runs.

    Args:
        environ: shows whether this is a pod, and where kubeconfigs are.
        demo: URL of the simulated API server to watch instead of any cluster.

    Raises:
        ConfigError: the configuration names what does not exist, or nothing is left to do.
    """
    check_selection(config)
    found = detect(config, environ)
    cluster = demo or found.cluster
    reason = f"watches the simulated cluster at {demo}" if demo else found.reason
    group = _group(config, environ, found.node) if cluster and found.node else None
    if group:
        watchers = list(_divided(config, found.node, group))
    elif found.clusters and not demo:
        watchers = [_of(cluster, one) for cluster in found.clusters for one in _watchers(config)]
    else:
        watchers = list(_watchers(config) if cluster else ())
    assignments = [*watchers, *_follower(config, watchers, cluster), *(_sampler(config) if found.containers else ())]
    assignments += _identifier(config, cluster, reason)
    if not assignments:
        off = "" if config.kube_metrics.cadvisor.enabled else "; kube_metrics.cadvisor.enabled is false"
        raise ConfigError(f"kube_metrics: nothing to collect: {reason.removesuffix(': nothing to collect')}{off}")
    return Plan(cluster, (*assignments, Assignment("web", "web")), reason, group)


def _watchers(config: Config) -> Iterator[Assignment]:
    """A process per group that has resources; pods in as many as configured."""
    state = config.kube_metrics.kube_state
    shard = UNKNOWN if state.pod else (state.shard, state.total_shards)
    for group, present in _groups(config):
        split = [name for name in present if name == "pods" and state.pod_processes > 1]
        for number in range(state.pod_processes if split else 0):
            part = (number, state.pod_processes)
            yield Assignment(f"watch-{group}-{number}", "watch", tuple(_stores(split, config)), part, shard)
        rest = [name for name in present if name not in split]
        if rest:
            yield Assignment(f"watch-{group}", "watch", tuple(_stores(rest, config)), shard=shard)


def _of(cluster: NamedCluster, one: Assignment) -> Assignment:
    """The same work for one of several clusters."""
    stores = [f"{store if '/' in store else f'{store}/'}@{cluster.name}" for store in one.stores]
    return replace(one, name=f"{one.name}@{cluster.name}", stores=tuple(stores), cluster=cluster)


def _follower(config: Config, watchers: list[Assignment], cluster: str) -> Iterator[Assignment]:
    """Who finds out the shard, where it follows from the agent's pod."""
    if watchers and config.kube_metrics.kube_state.pod:
        if not cluster:
            raise ConfigError("kube_metrics.kube_state.pod: the agent has no cluster of its own")
        yield Assignment("shard", "shard")


def _identifier(config: Config, cluster: str, reason: str) -> Iterator[Assignment]:
    """Who finds out the cluster's UID, where series are labelled with it."""
    if config.kubernetes.cluster_uid and not config.kubernetes.cluster_name:
        if not cluster:
            raise ConfigError(f"kubernetes.cluster_uid: there is no API server to ask: {reason}")
        yield Assignment("identify", "identify")


def _divided(config: Config, node: str, group: Group) -> Iterator[Assignment]:
    """Node scope: the node's pods; and, in case that their Lease is won, each shard of the rest. Pods without a node
    are few and belong to the first shard."""
    total = len(group.names)
    groups = dict(_groups(config))
    pods = tuple(_stores(["pods"], config)) if any("pods" in names for names in groups.values()) else ()
    if pods:
        yield Assignment("watch-node", "watch", pods, pods_of=node)
        # Whoever has not heard yet that a pod has got its node must not show it as waiting: that node's agent shows it.
        yield Assignment("watch-unscheduled", "watch", pods, pods_of="", gate=0, proven=True)
    for number in range(total):
        for name, present in groups.items():
            rest = tuple(_stores([resource for resource in present if resource != "pods"], config))
            if rest:
                suffix = f"-{number}" if total > 1 else ""
                yield Assignment(f"watch-{name}{suffix}", "watch", rest, shard=(number, total), gate=number)
    yield Assignment("elect", "elect")


def _group(config: Config, environ: Mapping[str, str], node: str) -> Group:
    """The agents that divide the cluster."""
    election, total = config.kube_metrics.election, config.kube_metrics.kube_state.total_shards
    names = tuple(f"{election.name}-shard-{number}" for number in range(total))
    return Group(election_namespace(config, environ), names, environ.get("POD_NAME") or node)


def _groups(config: Config) -> Iterator[tuple[str, list[str]]]:
    """Name and wanted resources of each group that has any."""
    state = config.kube_metrics.kube_state
    wanted = list(dict.fromkeys(state.resources)) or list(DEFAULT)
    grouped = {name for names in state.groups.values() for name in names}
    groups = {**state.groups, REST: tuple(name for name in wanted if name not in grouped)}
    for group, names in groups.items():
        present = [name for name in names if name in wanted]
        if present:
            yield group, present


def _stores(resources: list[str], config: Config) -> Iterator[str]:
    """Names of the stores of some resources: one each, or one per namespace when only some are watched. A namespace that is
    also left out has none."""
    state = config.kube_metrics.kube_state
    namespaces = [name for name in dict.fromkeys(state.namespaces) if name not in state.namespaces_exclude]
    for name in resources:
        if namespaces and RESOURCES[name].namespaced:
            yield from (f"{name}/{namespace}" for namespace in namespaces)
        else:
            yield name


def _sampler(config: Config) -> Iterator[Assignment]:
    """One process for this node, a store per source."""
    names = tuple(f"containers/{collector.name}" for collector in enabled_collectors(config.kube_metrics.cadvisor))
    yield Assignment("sample", "sample", names)
