"""Validation of a loaded configuration: lower bounds, formats of names, and settings that exclude or need each other.

Types, choices and numeric ranges are checked by msgspec while loading. Checks that need the environment are in `detect`,
checks that need the tables of resources in `telegen.kubestate.checks`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator

from telegen.config.adapter_model import Adapter
from telegen.config.messages import suggest
from telegen.config.model import GROUPS, Cadvisor, Config, KubeMetrics, KubeState, LabelsOnSeries, Names, SeriesLimits
from telegen.config.settings import least, settings, value_at

_LABEL = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile("(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_FAMILY = re.compile("[a-zA-Z_:][a-zA-Z0-9_:]*")
CONTAINERS, HEALTH = "containers", "customresources"
"""Names of the budgets of all series of the sampler, and of the series about kinds of custom resources."""
_GROUP = re.compile("[a-z][a-z0-9-]{0,30}")
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\t -~]*")
"""Names and values of HTTP headers (RFC 9110)."""
OWN_HEADERS = frozenset(
    ("connection", "content-encoding", "content-length", "content-type", "expect", "te", "transfer-encoding", "upgrade", "user-agent")
)
"""Headers of a push that follow from the request itself."""
_LEAST_RESYNC = _LEAST_STALENESS = 10.0
_OWN_PATHS = ("/", "/telemetry", "/healthz", "/livez", "/readyz")
MOST_SHARDS = 64
"""Maximum of total_shards when agents divide a cluster by Leases."""

_STATE = "kube_metrics.kube_state"


def problems(config: Config) -> Iterator[str]:
    """Yield one line per problem, each beginning with the path of the setting: `api.read_timeout: must be ...`."""
    kube = config.kube_metrics
    yield from _bound_problems(config)
    yield from _address_problems(kube)
    yield from _agent_problems(config)
    yield from _selection_problems(kube.kube_state)
    yield from _shard_problems(kube.kube_state)
    yield from _group_problems(kube.kube_state)
    yield from _cluster_problems(config)
    yield from scope_problems(kube)
    yield from _push_problems(config)
    yield from _extra_label_problems(kube.cadvisor)
    yield from _external_family_problems(config.adapter)
    if 0 < kube.max_staleness < _LEAST_STALENESS:
        yield f"kube_metrics.max_staleness: must be 0s or at least {_LEAST_STALENESS:.0f}s, not {kube.max_staleness}"
    if config.adapter.max_staleness <= config.adapter.poll_interval:
        yield f"adapter.max_staleness: must be more than poll_interval ({config.adapter.poll_interval}), not {config.adapter.max_staleness}"
    if kube.cadvisor.metric_allowlist and kube.cadvisor.metric_denylist:
        yield "kube_metrics.cadvisor.metric_allowlist: cannot be used with metric_denylist"
    if config.api.watch_timeout_min > config.api.watch_timeout_max:
        yield "api.watch_timeout_min: must not exceed watch_timeout_max"


def resource_problems(config: Config, known: Collection[str], further: Callable[[], Collection[str]]) -> Iterator[str]:
    """Yield one line per name of a resource that does not exist.

    Args:
        known: names of all resources.
        further: returns the names of resources that only allowlists of labels and annotations may name.
    """
    yield from _limit_problems(config.kube_metrics.limits, known)
    state = config.kube_metrics.kube_state
    usual = {name for names in GROUPS.values() for name in names}
    grouped = tuple(name for names in state.groups.values() for name in names if name not in usual)
    named = [("resources", state.resources), ("resources_exclude", state.resources_exclude), ("groups", grouped)]
    named += [
        (key, tuple(name for name in getattr(state, key) if name != "*"))
        for key in ("labels_allowlist", "annotations_allowlist")
    ]
    named += [
        (f"labels_on_series.{key}", tuple(name for name in getattr(state.labels_on_series, key) if name != "*"))
        for key in ("labels", "annotations")
    ]
    for key, names in named:
        for name in names:
            if name not in known and not (key.endswith("_allowlist") and name in further()):
                yield f"{_STATE}.{key}: unknown resource {name[:100]}{suggest(name, known)}; the resources are {', '.join(sorted(known))}"


def _limit_problems(limits: SeriesLimits, known: Collection[str]) -> Iterator[str]:
    """Check the names of budgets. Kinds of custom resources and their families may appear at any time: only their form is checked."""
    for name in limits.stores:
        if name not in (*known, CONTAINERS, HEALTH) and "." not in name:
            cure = f"use a resource, PLURAL.GROUP of custom resources, {CONTAINERS}, or {HEALTH}"
            yield f"kube_metrics.limits.stores: unknown name {name[:100]}{suggest(name, (*known, CONTAINERS, HEALTH))}; {cure}"
    for name in limits.families:
        if not _FAMILY.fullmatch(name):
            yield f"kube_metrics.limits.families: {name[:100]!r} is not a valid name of a family"


def _external_family_problems(adapter: Adapter) -> Iterator[str]:
    """Check the names of external metrics."""
    names = Counter(adapter.external_families)
    for name, times in names.items():
        if not _FAMILY.fullmatch(name):
            yield f"adapter.external_families: {name[:100]!r} is not a valid name of a family"
        if times > 1:
            yield f"adapter.external_families: {name[:100]} is listed {times} times"
        if f"{name}_count" in names:
            yield f"adapter.external_families: {name[:100]}_count is the number of samples of {name[:100]}; list one of them"


def _bound_problems(config: Config) -> Iterator[str]:
    """Check the lower bounds that the model gives for durations and sizes."""
    for path, _, meta in settings():
        bound, value = least(meta), value_at(config, path)
        if bound is not None and value is not None and value < bound:
            yield f"{path}: must be at least {type(value)(bound)}, not {value}"


def _address_problems(kube: KubeMetrics) -> Iterator[str]:
    if kube.metrics_path in _OWN_PATHS:
        yield f"kube_metrics.metrics_path: {kube.metrics_path} is reserved for another page; choose another path"
    second = kube.telemetry_address
    # Port 0 means any free port, so two of them never collide.
    if second is not None and kube.listen_address.port == second.port != 0:
        yield "kube_metrics.telemetry_address: needs another port than listen_address"


def _agent_problems(config: Config) -> Iterator[str]:
    """Check the address that the adapter polls."""
    kube, address = config.kube_metrics, config.adapter.agent_address
    if address is None:
        return
    for name in ("listen_address", "telemetry_address"):
        other = getattr(kube, name)
        if other is not None and other.port == address.port != 0:
            yield f"adapter.agent_address: needs another port than kube_metrics.{name}"
    if not config.adapter.agent_tls_dir:
        yield "adapter.agent_tls_dir: must name a folder; agent_address is served with its certificates only"
    if not kube.cadvisor.enabled and not kube.kube_state.enabled:
        cure = "set kube_metrics.cadvisor.enabled, or kube_state.enabled for kube_* alone"
        yield f"adapter.agent_address: needs the containers of the node; {cure}"


def _selection_problems(state: KubeState) -> Iterator[str]:
    """Check which objects and families are selected."""
    for key in ("namespaces", "namespaces_exclude"):
        # Namespaces become part of URLs and field selectors, so no other characters may pass.
        for name in getattr(state, key):
            if not _LABEL.fullmatch(name):
                yield f"{_STATE}.{key}: {name!r} is not a valid name of a namespace"
    if state.namespaces and set(state.namespaces) <= set(state.namespaces_exclude):
        yield f"{_STATE}.namespaces: namespaces_exclude excludes all of them"
    if state.resources and set(state.resources) <= set(state.resources_exclude):
        yield f"{_STATE}.resources: resources_exclude excludes all of them"
    if state.node and not _SUBDOMAIN.fullmatch(state.node):
        yield f"{_STATE}.node: {state.node!r} is not a valid name of a node"
    if state.node and state.track_unscheduled_pods:
        yield f"{_STATE}.node: cannot be used with track_unscheduled_pods"
    narrowed = "node" if state.node else "track_unscheduled_pods" if state.track_unscheduled_pods else ""
    if narrowed and state.resources and "pods" not in state.resources:
        yield f"{_STATE}.{narrowed}: applies to pods only, and resources does not include pods"
    if 0 < state.resync_period < _LEAST_RESYNC:
        yield f"{_STATE}.resync_period: must be 0s (never) or at least 10s, not {state.resync_period}"
    if state.metric_allowlist and state.metric_denylist:
        yield f"{_STATE}.metric_allowlist: cannot be used with metric_denylist"
    for key in ("labels_allowlist", "annotations_allowlist"):
        for resource, names in getattr(state, key).items():
            yield from _wildcard_problems(names, f"{_STATE}.{key}.{resource}")
    yield from _series_label_problems(state.labels_on_series)


def _series_label_problems(added: LabelsOnSeries) -> Iterator[str]:
    path = f"{_STATE}.labels_on_series"
    for key in ("labels", "annotations"):
        for resource, names in getattr(added, key).items():
            yield from _wildcard_problems(names, f"{path}.{key}.{resource}")
    for key in ("namespace_labels", "namespace_annotations"):
        yield from _wildcard_problems(getattr(added, key), f"{path}.{key}")


def _shard_problems(state: KubeState) -> Iterator[str]:
    """Check the shard: numbers, or a pod of a StatefulSet whose ordinal is the number."""
    if state.shard >= state.total_shards:
        yield f"{_STATE}.shard: must be below total_shards ({state.total_shards}), not {state.shard}"
    if state.pod and not _SUBDOMAIN.fullmatch(state.pod):
        yield f"{_STATE}.pod: {state.pod!r} is not a valid name of a pod"
    if state.pod_namespace and not _LABEL.fullmatch(state.pod_namespace):
        yield f"{_STATE}.pod_namespace: {state.pod_namespace!r} is not a valid name of a namespace"
    maps = state.custom_resource_state.config_maps
    if maps.selector and not maps.namespace:
        yield f"{_STATE}.custom_resource_state.config_maps: needs namespace; write ${{POD_NAMESPACE}} for that of the agent, or * for all"
    if maps.namespace not in ("", "*") and not _LABEL.fullmatch(maps.namespace):
        yield f"{_STATE}.custom_resource_state.config_maps.namespace: {maps.namespace!r} is not a valid name of a namespace, and not *"
    if maps.namespace and not maps.selector:
        yield f"{_STATE}.custom_resource_state.config_maps: needs selector, such as telegen/metrics=true"
    if state.pod and not state.pod_namespace:
        yield f"{_STATE}.pod: needs pod_namespace"
    if state.pod_namespace and not state.pod:
        # Without its pod, every agent of the StatefulSet would serve all objects.
        yield f"{_STATE}.pod_namespace: needs pod, which is empty; set it to metadata.name by the downward API"
    if state.pod and (state.shard, state.total_shards) != (0, 1):
        yield f"{_STATE}.pod: cannot be used with shard and total_shards, which follow from the StatefulSet"


def _group_problems(state: KubeState) -> Iterator[str]:
    if "cluster" in state.groups:
        yield f"{_STATE}.groups.cluster: the name is reserved for the resources in no group; choose another name"
    counts = Counter(name for names in state.groups.values() for name in names)
    yield from (f"{_STATE}.groups: {name} is in {count} groups; remove it from all but one" for name, count in counts.items() if count > 1)
    bad = [name for name in state.groups if not _GROUP.fullmatch(name)]
    yield from (f"{_STATE}.groups.{name}: expected 1 to 31 lower case letters, digits and '-', beginning with a letter" for name in bad)


def _cluster_problems(config: Config) -> Iterator[str]:
    """Check the value of the label `cluster`."""
    clusters = config.kube_metrics.kube_state.clusters
    counts = Counter(entry.name for entry in clusters)
    yield from (f"{_STATE}.clusters: {name} appears {count} times; each name must be unique" for name, count in counts.items() if count > 1)
    if config.kubernetes.cluster_uid and clusters:
        yield f"kubernetes.cluster_uid: cannot be used with {_STATE}.clusters, where each cluster has a name"


def _push_problems(config: Config) -> Iterator[str]:
    """Check the receiver of OTLP, and the push."""
    otlp, where = config.kube_metrics.otlp, "kube_metrics.otlp"
    for name, value in otlp.headers.items():
        if not HEADER.fullmatch(name):
            yield f"{where}.headers: {name[:100]!r} is not a valid name of a header"
        elif name.lower() in OWN_HEADERS:
            yield f"{where}.headers.{name}: the agent sets this header itself; remove it"
        elif not HEADER_VALUE.fullmatch(value):
            yield f"{where}.headers.{name}: expected printable ASCII characters on one line"
    if otlp.key_file and not otlp.certificate_file:
        yield f"{where}.key_file: needs certificate_file"
    streaming = config.kube_metrics.streaming
    logs = config.kube_metrics.logs_streaming
    yield from _wildcard_problems(logs.object_labels, "kube_metrics.logs_streaming.object_labels")
    if (streaming.enabled or logs.enabled) and streaming.flush_timeout >= config.supervisor.grace_period:
        yield f"kube_metrics.streaming.flush_timeout: must be less than supervisor.grace_period ({config.supervisor.grace_period})"


def _extra_label_problems(cadvisor: Cadvisor) -> Iterator[str]:
    """Check the labels that are added to series of containers."""
    for key in ("pod_labels", "pod_annotations", "namespace_labels", "container_labels", "container_env"):
        yield from _wildcard_problems(getattr(cadvisor, key), f"kube_metrics.cadvisor.{key}")


def _wildcard_problems(names: Names, path: str) -> Iterator[str]:
    for at, name in enumerate(names):
        if name.count("*") > 1:
            yield f"{path}[{at}]: {name}: at most one * is allowed"


def scope_problems(kube: KubeMetrics) -> Iterator[str]:
    """Check the scope and the election."""
    election, state = kube.election, kube.kube_state
    where = "kube_metrics.election"
    if election.namespace and not _LABEL.fullmatch(election.namespace):
        yield f"{where}.namespace: {election.namespace!r} is not a valid name of a namespace"
    if kube.node_name and not _SUBDOMAIN.fullmatch(kube.node_name):
        yield f"kube_metrics.node_name: {kube.node_name!r} is not a valid name of a node"
    if election.lease_duration % 1:
        yield f"{where}.lease_duration: must be whole seconds, not {election.lease_duration}"
    # As in client-go: a holder must stop before another agent may take the Lease, and after more than one failed renewal.
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
    """Return the settings that give this agent a fixed share of the objects."""
    return [key for key in ("shard", "node", "track_unscheduled_pods", "pod", "clusters") if getattr(state, key)]
