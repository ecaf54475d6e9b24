"""The settings: name, type, default, help and bounds of each. Loading, overrides, error messages and docs/configuration.md
are derived from this model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Optional, Union

import msgspec
from msgspec import Meta, field

from telegen.config import text_formats
from telegen.config.types import Duration, ListenAddress, Pattern, Size

Names = tuple[str, ...]
Patterns = tuple[Pattern, ...]
Allowlist = Mapping[str, Names]

GROUPS: Mapping[str, Names] = {
    "pods": ("pods",),
    "workloads": (
        "cronjobs",
        "daemonsets",
        "deployments",
        "horizontalpodautoscalers",
        "jobs",
        "poddisruptionbudgets",
        "replicasets",
        "replicationcontrollers",
        "statefulsets",
    ),
    "network": ("endpoints", "endpointslices", "ingressclasses", "ingresses", "networkpolicies", "services"),
}
"""Resources that share a process; what is in no group shares one called `cluster`."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A block of settings."""


def text(help: str, least: float | None = None, **bounds: Any) -> Meta:
    """Describe a setting.

    Args:
        help: one or two sentences for the reference.
        least: lower bound of a duration or size, which msgspec cannot check; see `telegen.config.validation`.
        bounds: constraints that msgspec checks: ge, le, pattern, max_length.
    """
    return Meta(description=help, extra=None if least is None else {"least": least}, **bounds)


def later(help: str, least: float | None = None, **bounds: Any) -> Meta:
    """Describe a setting that is accepted and checked but has no effect yet."""
    return Meta(description=help, extra={"effective": False, "least": least}, **bounds)


class ClusterEntry(Section, frozen=True):
    """One of several clusters."""

    name: Annotated[str, text("Value of its `cluster` label.", pattern=text_formats.CLUSTER_NAME)]
    kubeconfig: Annotated[str, text("Kubeconfig file; empty: as for a single cluster.")] = ""
    context: Annotated[str, text("Context of the kubeconfig; empty: its current one.")] = ""


class KubeState(Section, frozen=True):
    """Metrics of Kubernetes objects."""

    enabled: Annotated[bool, text("Watch the API server and serve kube_* metrics.")] = True
    kubeconfig: Annotated[
        str, text("Kubeconfig file; empty: the pod's own account, else $KUBECONFIG, else ~/.kube/config.")
    ] = ""
    apiserver: Annotated[
        str,
        text(
            "URL of an API server that asks for no credentials, as `kubectl proxy` serves it.",
            pattern=text_formats.URL,
        ),
    ] = ""
    clusters: Annotated[
        tuple[ClusterEntry, ...],
        text(
            "Several clusters to watch: `{name, kubeconfig, context}` of each. Its kube_* series have the name as label "
            "`cluster`. Empty: one cluster.",
            max_length=16,
        ),
    ] = ()
    resources: Annotated[Names, text("Resources to watch; empty: all that are watched by default.")] = ()
    groups: Annotated[
        Mapping[str, Names], text("Which resources share a process; the rest shares one called cluster.")
    ] = field(default_factory=lambda: GROUPS)
    pod_processes: Annotated[int, text("Processes that divide the pods by UID.", ge=1, le=64)] = 1
    namespaces: Annotated[Names, text("Namespaces to watch; empty: all.")] = ()
    namespaces_exclude: Annotated[
        Names, text("Namespaces to leave out, also of `namespaces`; the API server leaves them out of its answers.")
    ] = ()
    metric_allowlist: Annotated[Patterns, text("Families to keep; regular expressions, not anchored.")] = ()
    metric_denylist: Annotated[Patterns, text("Families to drop; regular expressions, not anchored.")] = ()
    metric_opt_in_list: Annotated[Patterns, text("Opt-in families to show; regular expressions, not anchored.")] = ()
    labels_allowlist: Annotated[Allowlist, text("Labels shown by kube_*_labels, by resource; `*` stands for all.")] = (
        field(default_factory=dict)
    )
    annotations_allowlist: Annotated[Allowlist, text("Annotations shown by kube_*_annotations, by resource.")] = field(
        default_factory=dict
    )
    node: Annotated[str, text("Watch only the pods of this node.")] = ""
    track_unscheduled_pods: Annotated[bool, text("Watch only pods that no node has yet.")] = False
    use_apiserver_cache: Annotated[bool, text("Lists are answered from the API server's cache.")] = False
    object_limit: Annotated[
        int,
        text(
            "Objects that a list takes at the most, per resource, and per namespace when only some are watched; 0: all. "
            "What is created later is taken all the same.",
            ge=0,
        ),
    ] = 0
    resync_period: Annotated[
        Duration,
        text(
            "A whole relist about so often, give or take a tenth; 0s: never, which is safe: watches miss nothing, and end "
            "in a relist when they do."
        ),
    ] = Duration(0)
    shard: Annotated[
        int, text("Which shard this agent takes, from 0: objects of all kinds whose UID jump consistent hash puts there.", ge=0)
    ] = 0
    total_shards: Annotated[int, text("How many agents divide the objects.", ge=1, le=2**31 - 1)] = 1
    pod: Annotated[
        str,
        text(
            "Name of this pod of a StatefulSet, as ${POD_NAME}: in place of shard and total_shards, the pod's ordinal and the "
            "replicas count, also when they change."
        ),
    ] = ""
    pod_namespace: Annotated[str, text("Namespace of that pod, as ${POD_NAMESPACE}.")] = ""
    page_objects: Annotated[int, text("Objects per page of a store.", ge=1, le=4096)] = 64
    flush_interval: Annotated[Duration, text("Changes of so long are published together.", least=0.01)] = Duration(0.1)
    arena_limit: Annotated[Size, text("Shared memory that one worker may use at most.", least=16 << 20)] = Size(4 << 30)


class Cadvisor(Section, frozen=True):
    """Metrics of this node's containers."""

    enabled: Annotated[bool, text("Read cgroups and serve container_* metrics.")] = True
    cgroup_root: Annotated[str, text("Where the cgroup hierarchies are mounted.")] = "/sys/fs/cgroup"
    proc_root: Annotated[str, text("Where the host's /proc is mounted.")] = "/proc"
    sys_root: Annotated[str, text("Where the host's /sys is mounted.")] = "/sys"
    collect_interval: Annotated[Duration, text("Time between two passes over the cgroups.", least=1.0)] = Duration(10)
    housekeeping_interval: Annotated[Duration, text("Time between two looks at what the machine is and has mounted.")] = Duration(60)
    disk_usage_interval: Annotated[
        Duration,
        text("Time between two measurements of what containers have written, which take 5 % of a CPU at most; 0s: none."),
    ] = Duration(60)
    disk_io_enabled: Annotated[bool, text("Collect disk I/O.")] = True
    network_enabled: Annotated[bool, text("Collect network counters.")] = True
    per_cpu_enabled: Annotated[bool, text("Collect CPU time of each CPU instead of their sum, which only v1 can tell.")] = False
    enabled_metrics: Annotated[Names, text("Groups of metrics to collect besides the default ones (docs/containers.md).")] = ()
    disabled_metrics: Annotated[Names, text("Groups of metrics not to collect.")] = ()
    namespaces: Annotated[
        Names, text("Namespaces whose pods and containers are shown; empty: all, and what is in none as well.")
    ] = ()
    namespaces_exclude: Annotated[Names, text("Namespaces whose pods and containers are not shown.")] = ()
    root: Annotated[str, text("Where the host's / is mounted: names and layers of containers, file systems.")] = "/"
    pod_labels: Annotated[
        Names, text("Labels of its pod shown on every series of a container, as label_NAME; each may have one `*`.")
    ] = ()
    pod_annotations: Annotated[Names, text("Annotations of its pod shown likewise, as annotation_NAME.")] = ()
    namespace_labels: Annotated[Names, text("Labels of its namespace shown likewise, as namespace_label_NAME.")] = ()
    workload: Annotated[
        bool, text("Show the owner of its pod on every series of a container, as workload and workload_kind.")
    ] = False


class Streaming(Section, frozen=True):
    """Push of all metrics by OTLP."""

    enabled: Annotated[bool, later("Push metrics to an OTLP receiver.")] = False
    interval: Annotated[Duration, later("Time between two pushes.", least=1.0)] = Duration(15)
    batch_size: Annotated[int, later("Data points per request.", ge=1)] = 1000
    flush_timeout: Annotated[Duration, later("Time that one push may take.")] = Duration(5)
    use_otlp: Annotated[bool, later("Push by OTLP.")] = True


class LogsStreaming(Section, frozen=True):
    """Kubernetes events as OTLP logs."""

    enabled: Annotated[bool, later("Send Kubernetes events as OTLP logs.")] = False
    buffer_size: Annotated[int, later("Events held while the receiver is away.", ge=1)] = 1000
    flush_interval: Annotated[Duration, later("Time after which a partial batch is sent.")] = Duration(5)
    event_types: Annotated[Names, later("Types of events to send.")] = ("Normal", "Warning")
    namespaces: Annotated[Names, later("Namespaces whose events are sent; empty: all.")] = ()


class SignalFields(Section, frozen=True):
    """Which telegen.* attributes are added."""

    enable_category: Annotated[bool, later("Add telegen.signal.category.")] = True
    enable_subcategory: Annotated[bool, later("Add telegen.signal.subcategory.")] = True
    enable_source_module: Annotated[bool, later("Add telegen.source.module.")] = True
    enable_bpf_component: Annotated[bool, later("Add telegen.bpf.component.")] = True
    enable_collector_type: Annotated[bool, later("Add telegen.collector.type.")] = True
    enable_description: Annotated[bool, later("Add telegen.signal.description.")] = False


class SignalMetadata(Section, frozen=True):
    """telegen.* attributes on pushed signals."""

    enabled: Annotated[bool, later("Add telegen.* attributes.")] = True
    fields: SignalFields = field(default_factory=SignalFields)


class Election(Section, frozen=True):
    """Leases by which the agents agree which of them serves the kube_* series of each shard."""

    candidate: Annotated[
        bool, text("Take part. false: this agent never serves kube_* series, as on small or short-lived nodes.")
    ] = True
    namespace: Annotated[
        str, text("Namespace of the Leases; empty: $POD_NAMESPACE, else that of the pod's own account.")
    ] = ""
    name: Annotated[
        str,
        text(
            "Beginning of the Leases' names, NAME-shard-0 and so on; agents of one name form one group.",
            pattern=text_formats.LEASE_NAME,
        ),
    ] = "telegen"
    lease_duration: Annotated[
        Duration, text("Time without renewal after which another agent may take a Lease; in whole seconds.", least=2.0)
    ] = Duration(15)
    renew_deadline: Annotated[
        Duration, text("Time after the last renewal at which a holder stops serving; less than lease_duration.")
    ] = Duration(10)
    retry_period: Annotated[Duration, text("Time between two renewals.", least=0.1)] = Duration(2)
    waiting_period: Annotated[
        Duration,
        text("Mean time between two lists of the Leases by a waiting agent; each is random between 0.5 and 1.5 times this.", least=1.0),
    ] = Duration(30)
    standby: Annotated[
        Literal["hot", "cold"],
        text("hot: the standby keeps the shard's objects in step, unserved; cold: it starts when it takes over."),
    ] = "hot"


class KubeMetrics(Section, frozen=True):
    """Kubernetes metrics."""

    enabled: Annotated[Optional[bool], text("Collect from the API server: true, false, or null to detect.")] = None
    auto_detect: Annotated[bool, text("Collect from the API server when running in a cluster.")] = True
    listen_address: Annotated[ListenAddress, text("Where pages are served.")] = ListenAddress(":9443")
    telemetry_address: Annotated[
        Optional[ListenAddress],
        text(
            "A second address for the agent's own metrics, at /metrics there, and the probes; null: only /telemetry on "
            "listen_address."
        ),
    ] = None
    metrics_path: Annotated[str, text("Path of the page.", pattern=text_formats.PAGE_PATH)] = "/metrics"
    separate_endpoints: Annotated[bool, text("Serve each source on a path of its own as well.")] = False
    scope: Annotated[
        Literal["auto", "node", "cluster"],
        text(
            "node: this node's containers and, while this agent holds a Lease, all kube_* series of its shard; cluster: always all "
            "kube_* series; auto: node in a cluster where node_name is known, else cluster."
        ),
    ] = "auto"
    node_name: Annotated[str, text("Name of this agent's node; empty: $NODE_NAME.")] = ""
    election: Election = field(default_factory=Election)
    kube_state: KubeState = field(default_factory=KubeState)
    cadvisor: Cadvisor = field(default_factory=Cadvisor)
    streaming: Streaming = field(default_factory=Streaming)
    logs_streaming: LogsStreaming = field(default_factory=LogsStreaming)
    signal_metadata: SignalMetadata = field(default_factory=SignalMetadata)


class Kubernetes(Section, frozen=True):
    """The cluster."""

    enable: Annotated[bool, text("Whether the agent may use the API of the cluster it runs in.")] = True
    cluster_name: Annotated[
        str, text("Label `cluster` of every kube_* and container_* series; empty: none.", pattern=text_formats.LABEL_VALUE)
    ] = ""
    cluster_uid: Annotated[
        bool, text("Without a cluster_name: the UID of the namespace kube-system is the value of the label `cluster`.")
    ] = False
    informers_sync_timeout: Annotated[Duration, later("Accepted for the sake of older files.")] = Duration(30)
    informers_resync_period: Annotated[Duration, later("Accepted for the sake of older files.")] = Duration(1800)
    resource_labels: Annotated[Names, later("Accepted for the sake of older files.")] = ()


class Api(Section, frozen=True):
    """How the API server is asked."""

    connect_timeout: Annotated[Duration, text("Time to connect.", least=0.1)] = Duration(5)
    read_timeout: Annotated[
        Duration, text("Silence after which a connection is given up; bookmarks come every minute or two.", least=0.1)
    ] = Duration(150)
    list_page_size: Annotated[int, text("Objects per page of a list.", ge=1, le=10000)] = 500
    initial_events_timeout: Annotated[
        Duration, text("Time that a streamed list may take before pages are asked for.")
    ] = Duration(120)
    watch_timeout_min: Annotated[Duration, text("A watch is asked to last at least so long.", least=1.0)] = Duration(300)
    watch_timeout_max: Annotated[Duration, text("A watch is asked to last at most so long.")] = Duration(600)
    backoff_initial: Annotated[Duration, text("First delay after an error; doubles, with full jitter.", least=0.001)] = Duration(0.8)
    backoff_max: Annotated[Duration, text("Longest delay after errors.")] = Duration(30)
    backoff_reset: Annotated[Duration, text("Quiet time after which the delay starts anew.")] = Duration(120)


class Web(Section, frozen=True):
    """Who serves the pages."""

    workers: Annotated[
        Union[Annotated[int, Meta(ge=1, le=32)], Literal["auto"]],
        text("Web processes; auto: one, two while this agent holds the Lease of a shard."),
    ] = "auto"
    threads: Annotated[int, text("Threads of each.", ge=1, le=64)] = 4
    read_timeout: Annotated[Duration, text("Silence of a client in the middle of a request.", least=1.0)] = Duration(60)
    write_timeout: Annotated[Duration, text("Time for which a client may take nothing of an answer.", least=1.0)] = Duration(60)
    idle_timeout: Annotated[Duration, text("Time that a connection may idle between two requests.", least=1.0)] = Duration(75)


class Supervising(Section, frozen=True):
    """How processes are kept alive."""

    grace_period: Annotated[Duration, text("Time that processes have to end.", least=1.0)] = Duration(10)
    heartbeat_timeout: Annotated[Duration, text("Silence after which a process is aborted.", least=3.0)] = Duration(10)
    worker_grace: Annotated[Duration, text("Silence after which /readyz names a process.")] = Duration(30)
    backoff_initial: Annotated[Duration, text("Delay before a process that ended starts again; doubles.", least=0.01)] = Duration(
        0.5
    )
    backoff_max: Annotated[Duration, text("Longest such delay.")] = Duration(30)
    pidfile: Annotated[str, text("File with the pid of the agent; empty: none.")] = ""


class Log(Section, frozen=True):
    """Logs on standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], text("Least severity that is logged.")] = "info"
    format: Annotated[Literal["text", "json"], text("Lines for people or for machines.")] = "text"


class Config(Section, frozen=True):
    """The whole configuration."""

    kubernetes: Kubernetes = field(default_factory=Kubernetes)
    kube_metrics: KubeMetrics = field(default_factory=KubeMetrics)
    api: Api = field(default_factory=Api)
    web: Web = field(default_factory=Web)
    supervisor: Supervising = field(default_factory=Supervising)
    log: Log = field(default_factory=Log)
