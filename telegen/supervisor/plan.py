"""Plan of the processes to run, from the configuration and the environment.

The node part of an agent is the sampler. The cluster part is the watch workers: of a share that the configuration names, or,
in node scope, of each shard whose Lease the agent comes to hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from telegen.cadvisor.registry import enabled_collectors
from telegen.cadvisor.terminations import counts as terminations
from telegen.config import Config, ConfigError, NamedCluster, detect, election_namespace, sampled_node
from telegen.config.custom_resources import is_used
from telegen.kubestate.registry import RESOURCES, watched_names
from telegen.otlp.settings import is_disabled
from workers._base import Assignment, Group, Shard
from workers._sample.pod_fields import pod_fields

UNGROUPED = "cluster"
"""Group of the resources that the configuration puts into no group."""
WATCHERS = frozenset(("watch", "custom"))
"""Kinds of processes that keep stores in step with the API server."""
CUSTOM = "customresources"
"""Name of the store that stands for all custom resources; those of their kinds begin with it."""
NO_SHARD = (0, 0)
"""Shard of an agent whose StatefulSet has not been read yet: it takes no objects."""


@dataclass(frozen=True)
class Plan:
    """Processes to run.

    Attributes:
        cluster: address of the agent's own cluster: `in-cluster`, `kubeconfig:PATH`, a URL, or "" for none.
        assignments: one per process; the largest resources first.
        reason: why these, for the log.
        group: the agents that divide the cluster by Leases; None for an agent that takes no part.
    """

    cluster: str
    assignments: tuple[Assignment, ...]
    reason: str
    group: Group | None = None

    @property
    def clusters(self) -> set[str]:
        """Addresses of all clusters that are watched, in the form of `cluster`."""
        return {self.cluster, *(one.cluster.source for one in self.assignments if one.cluster)}

    @property
    def has_dynamic_shard(self) -> bool:
        """True if the shard is read from a StatefulSet while the agent runs."""
        return any(assignment.kind == "shard" for assignment in self.assignments)

    @property
    def needs_cluster_uid(self) -> bool:
        """True if collection starts only when the cluster's UID is known."""
        return any(assignment.kind == "identify" for assignment in self.assignments)

    @property
    def reviews_tokens(self) -> bool:
        """True if the API server authenticates the clients of the web processes."""
        return any(assignment.kind == "review" for assignment in self.assignments)

    @property
    def shard(self) -> Shard | None:
        """(number, total) by the configuration or the pod's ordinal; None in node scope, or if nothing is watched."""
        shards = [one.agent_shard for one in self.assignments if one.kind in WATCHERS and one.lease_shard is None]
        return shards[0] if shards else None

    def with_shard(self, shard: Shard | None) -> Plan:
        """Return the plan for the shard that was read from the StatefulSet."""
        if not self.has_dynamic_shard or shard is None:
            return self
        watchers = tuple(replace(one, agent_shard=shard) if one.kind in WATCHERS else one for one in self.assignments)
        return replace(self, assignments=watchers)


def watched_resources(plan: Plan) -> list[str]:
    """Names of the resources that the plan's processes watch, each once."""
    stores = (store for assignment in plan.assignments if assignment.kind == "watch" for store in assignment.stores)
    return list(dict.fromkeys(store.partition("/")[0] for store in stores))


def sampled_fields(plan: Plan, config: Config) -> tuple[str, ...]:
    """Paths of the fields of pods that the sampler reads; empty without a sampler."""
    stores = [store for assignment in plan.assignments if assignment.kind == "sample" for store in assignment.stores]
    return pod_fields(terminations.STORE in stores, bool(config.adapter.agent_address)) if stores else ()


def make_plan(config: Config, environ: Mapping[str, str], demo: str | None = None) -> Plan:
    """Decide which processes run.

    Args:
        environ: tells whether this is a pod, and where kubeconfigs are.
        demo: URL of the simulated API server to watch instead of any cluster.

    Raises:
        ConfigError: the environment lacks what the configuration needs, or nothing is left to collect.
    """
    found = detect(config, environ)
    cluster = demo or found.cluster
    reason = f"watches the simulated cluster at {demo}" if demo else found.reason
    group = None
    if cluster and found.node:
        group = _group(config, environ, found.node) if config.kube_metrics.election.candidate else None
        watchers = list(_elected(config, len(group.names)) if group else ())
    elif found.clusters and not demo:
        watchers = [_of(cluster, one) for cluster in found.clusters for one in _fixed(config)]
    else:
        watchers = list(_fixed(config) if cluster else ())
    sampler = _sampler(config, bool(cluster and sampled_node(config, environ))) if found.containers else ()
    assignments = [*watchers, *_follower(config, watchers, cluster), *sampler]
    assignments += _identifier(config, cluster, reason)
    if not assignments:
        raise ConfigError(f"kube_metrics: nothing to collect: {_missing(config, reason)}")
    assignments += [*_pusher(config, environ), *_event_sender(config, environ, cluster, bool(watchers))]
    assignments += _reviewer(config, cluster, reason)
    return Plan(cluster, (*assignments, Assignment("web", "web")), reason, group)


def _pusher(config: Config, environ: Mapping[str, str]) -> Iterator[Assignment]:
    """The process that pushes metrics."""
    streaming = config.kube_metrics.streaming
    if streaming.enabled and streaming.use_otlp and not is_disabled(environ):
        yield Assignment("push", "push")


def _event_sender(config: Config, environ: Mapping[str, str], cluster: str, watches: bool) -> Iterator[Assignment]:
    """The process that sends Kubernetes events; with Leases that of the holder of the first shard."""
    if config.kube_metrics.logs_streaming.enabled and not is_disabled(environ):
        if not cluster:
            raise ConfigError("kube_metrics.logs_streaming: there is no API server to watch; set kube_state.kubeconfig, or turn it off")
        if watches:
            yield Assignment("events", "events")


def _missing(config: Config, reason: str) -> str:
    """The settings that leave nothing to collect."""
    kube = config.kube_metrics
    candidate = "" if kube.election.candidate else "; kube_metrics.election.candidate is false"
    cadvisor = "" if kube.cadvisor.enabled else "; kube_metrics.cadvisor.enabled is false"
    return reason.removesuffix(": nothing to collect") + candidate + cadvisor


def _fixed(config: Config) -> Iterator[Assignment]:
    """Watch workers of the share that the configuration names."""
    state = config.kube_metrics.kube_state
    return _watchers(config, NO_SHARD if state.pod else (state.shard, state.total_shards))


def _elected(config: Config, total: int) -> Iterator[Assignment]:
    """Watch workers of every shard, each of which runs while this agent holds or stands by for the shard's Lease; the elector."""
    watchers = [one for number in range(total) for one in _watchers(config, (number, total), number)]
    if watchers:
        yield from watchers
        yield Assignment("elect", "elect")


def _watchers(config: Config, shard: Shard, lease_shard: int | None = None) -> Iterator[Assignment]:
    """A process per group that has resources; pods in as many as configured."""
    processes = config.kube_metrics.kube_state.pod_processes
    # Names are unique over all shards, as arenas and counters belong to a name.
    suffix = "" if lease_shard is None or shard[1] == 1 else f"-shard-{lease_shard}"
    for group, present in _groups(config):
        split = [name for name in present if name == "pods" and processes > 1]
        for number in range(processes if split else 0):
            name, stores = f"watch-{group}{suffix}-{number}", tuple(_stores(split, config))
            yield Assignment(name, "watch", stores, (number, processes), shard, lease_shard)
        rest = [name for name in present if name not in split]
        if rest:
            yield Assignment(f"watch-{group}{suffix}", "watch", tuple(_stores(rest, config)), (0, 1), shard, lease_shard)
    if is_used(config.kube_metrics.kube_state.custom_resource_state):
        yield Assignment(f"watch-custom{suffix}", "custom", (CUSTOM,), (0, 1), shard, lease_shard)


def _of(cluster: NamedCluster, one: Assignment) -> Assignment:
    """Turn an assignment into that for one of several clusters."""
    stores = [f"{store if '/' in store else f'{store}/'}@{cluster.name}" for store in one.stores]
    return replace(one, name=f"{one.name}@{cluster.name}", stores=tuple(stores), cluster=cluster)


def _follower(config: Config, watchers: list[Assignment], cluster: str) -> Iterator[Assignment]:
    """The process that reads the shard from the StatefulSet of the agent's pod."""
    if watchers and config.kube_metrics.kube_state.pod:
        if not cluster:
            raise ConfigError("kube_metrics.kube_state.pod: the agent has no cluster of its own")
        yield Assignment("shard", "shard")


def _identifier(config: Config, cluster: str, reason: str) -> Iterator[Assignment]:
    """The process that reads the cluster's UID, where series are labelled with it."""
    if config.kubernetes.cluster_uid and not config.kubernetes.cluster_name:
        if not cluster:
            raise ConfigError(f"kubernetes.cluster_uid: there is no API server to ask: {reason}")
        yield Assignment("identify", "identify")


def _reviewer(config: Config, cluster: str, reason: str) -> Iterator[Assignment]:
    """The process that asks the API server about the tokens of clients."""
    if config.web.auth == "kubernetes":
        if not cluster:
            raise ConfigError(f"web.auth: there is no API server to ask: {reason}")
        yield Assignment("review", "review")


def _group(config: Config, environ: Mapping[str, str], node: str) -> Group:
    """The agents that divide the cluster by Leases."""
    election, total = config.kube_metrics.election, config.kube_metrics.kube_state.total_shards
    names = tuple(f"{election.name}-shard-{number}" for number in range(total))
    return Group(election_namespace(config, environ), names, environ.get("POD_NAME") or node)


def _groups(config: Config) -> Iterator[tuple[str, list[str]]]:
    """(name, wanted resources) of each group that has any."""
    state = config.kube_metrics.kube_state
    wanted = watched_names(state)
    grouped = {name for names in state.groups.values() for name in names}
    groups = {**state.groups, UNGROUPED: tuple(name for name in wanted if name not in grouped)}
    for group, names in groups.items():
        present = [name for name in names if name in wanted]
        if present:
            yield group, present


def _stores(resources: list[str], config: Config) -> Iterator[str]:
    """Names of the stores of some resources: one each, or one per watched namespace."""
    state = config.kube_metrics.kube_state
    namespaces = [name for name in dict.fromkeys(state.namespaces) if name not in state.namespaces_exclude]
    for name in resources:
        if namespaces and RESOURCES[name].namespaced:
            yield from (f"{name}/{namespace}" for namespace in namespaces)
        else:
            yield name


def _sampler(config: Config, has_pods: bool) -> Iterator[Assignment]:
    """The process of the node part; it has a store per collector, and one of ended containers if it watches pods. There is none if the
    settings select no family."""
    names = tuple(f"containers/{collector.name}" for collector in enabled_collectors(config.kube_metrics.cadvisor))
    if names:
        ends = (terminations.STORE,) if has_pods and config.kube_metrics.terminations.enabled else ()
        yield Assignment("sample", "sample", (*names, *ends))
