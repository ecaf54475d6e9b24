"""The settings: name, type, default, help and bounds of each. Loading, overrides, error messages and docs/configuration.md
are derived from this model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Optional, Union

from msgspec import Meta, field

from telegen.config import text_formats
from telegen.config.adapter_model import Adapter
from telegen.config.section import Section, text, without_effect
from telegen.config.types import Block, Duration, ListenAddress, Pattern, Size

Names = tuple[str, ...]
Patterns = tuple[Pattern, ...]
Allowlist = Mapping[str, Names]
Health = Union[Literal["none", "auto", "all"], Names]
MOST_SERIES = 10**9
Budgets = Mapping[str, Annotated[int, Meta(ge=0, le=MOST_SERIES)]]

# Every further process takes 11 MB.
GROUPS: Mapping[str, Names] = {"pods": ("pods",)}
"""Resources that share a process; resources in no group share one called `cluster`."""


class ClusterEntry(Section, frozen=True):
    """One of several clusters."""

    name: Annotated[str, text("Value of its `cluster` label.", pattern=text_formats.CLUSTER_NAME)]
    kubeconfig: Annotated[str, text("Kubeconfig file; empty: the agent's own cluster.")] = ""
    context: Annotated[str, text("Context of the kubeconfig; empty: the current one.")] = ""


class ConfigMapSource(Section, frozen=True):
    """ConfigMaps with metrics of custom resources, found by a label and watched (docs/expressions.md)."""

    selector: Annotated[str, text("Label selector, as of kubectl get --selector; empty: no ConfigMap is read.")] = ""
    namespace: Annotated[str, text("Their namespace, such as ${POD_NAMESPACE} for that of the agent, or * for all.")] = ""


class CustomResourceState(Section, frozen=True):
    """Metrics of custom resources, by files of the format of kube-state-metrics (docs/custom.md)."""

    config: Annotated[str, text("Text of a CustomResourceStateMetrics configuration; wins over config_file.")] = ""
    config_file: Annotated[str, text("File with a CustomResourceStateMetrics configuration; a change is applied without a restart.")] = ""
    continue_without_config_file: Annotated[
        bool, text("Start while config_file does not exist, and load it when it appears.")
    ] = False
    metrics: Annotated[
        Block, text("Metrics with expressions: the list of entries below `metrics:` of such a file (docs/custom.md), or its text.")
    ] = Block("")
    files: Annotated[
        Names, text("Further files of either format, or folders of them; each *.yaml, *.yml and *.json of a folder is read.")
    ] = ()
    config_maps: ConfigMapSource = field(default_factory=ConfigMapSource)
    only: Annotated[bool, text("Watch no built-in resources; `resources` has no effect then.")] = False
    packs: Annotated[
        Names,
        text("Packs of families for known products (docs/custom.md); auto: every pack whose API groups are served, and health: auto."),
    ] = ()
    names: Annotated[
        Mapping[str, str], text("Variant of the names of families, by pack, where they are not the usual ones (docs/custom.md).")
    ] = field(default_factory=dict)
    health: Annotated[
        Health,
        text(
            "Custom resources whose health is served (docs/health.md): none; auto, those of all API groups but kinds without a health of "
            "their own; all; or a list of API groups. An empty list turns off what the packs of auto bring."
        ),
    ] = "none"
    health_detail: Annotated[
        Literal["auto", "all", "unhealthy", "none"],
        text(
            "Objects with series of their own: all; unhealthy, those that are not Current; none; auto, all up to 500 objects of a kind, "
            "above that the unhealthy ones up to 2,000, above that none. Every kind has the numbers of its objects by status."
        ),
    ] = "auto"


class LabelsOnSeries(Section, frozen=True):
    """Labels to add to every kube_* series of an object, as cadvisor.pod_labels does for containers. Each may have one `*`."""

    labels: Annotated[Allowlist, text("Labels of the object to add as label_NAME, by resource; `*` stands for all.")] = field(
        default_factory=dict
    )
    annotations: Annotated[Allowlist, text("Annotations of the object to add as annotation_NAME, by resource; `*` stands for all.")] = (
        field(default_factory=dict)
    )
    namespace_labels: Annotated[Names, text("Labels of the object's namespace to add as namespace_label_NAME.")] = ()
    namespace_annotations: Annotated[Names, text("Annotations of the object's namespace to add as namespace_annotation_NAME.")] = ()
    workload: Annotated[
        bool, text("Add the owner: as workload and workload_kind, of a pod the Deployment or CronJob behind its owner.")
    ] = False


class KubeState(Section, frozen=True):
    """Metrics of Kubernetes objects."""

    enabled: Annotated[bool, text("Watch the API server and serve kube_* metrics.")] = True
    kubeconfig: Annotated[
        str, text("Kubeconfig file; empty: the pod's own account, else $KUBECONFIG, else ~/.kube/config.")
    ] = ""
    apiserver: Annotated[
        str,
        text(
            "URL of an API server that needs no credentials, such as that of `kubectl proxy`.",
            pattern=text_formats.URL,
        ),
    ] = ""
    clusters: Annotated[
        tuple[ClusterEntry, ...],
        text(
            "Several clusters to watch, each as `{name, kubeconfig, context}`. The name is the label `cluster` of its kube_* "
            "series. Empty: one cluster.",
            max_length=16,
        ),
    ] = ()
    resources: Annotated[Names, text("Resources to watch; empty: the default ones.")] = ()
    resources_exclude: Annotated[Names, text("Resources not to watch, also if `resources` or the default has them.")] = ()
    groups: Annotated[
        Mapping[str, Names],
        text("Resources that share a process, by name of the group; the others share a process called cluster.", max_length=64),
    ] = field(default_factory=lambda: GROUPS)
    pod_processes: Annotated[int, text("Number of processes that divide the pods by UID.", ge=1, le=64)] = 1
    namespaces: Annotated[Names, text("Namespaces to watch; empty: all.")] = ()
    namespaces_exclude: Annotated[
        Names, text("Namespaces to exclude, also from `namespaces`; the API server does not send their objects.")
    ] = ()
    metric_allowlist: Annotated[Patterns, text("Families to keep; regular expressions, not anchored.")] = ()
    metric_denylist: Annotated[Patterns, text("Families to drop; regular expressions, not anchored.")] = ()
    metric_opt_in_list: Annotated[Patterns, text("Opt-in families to serve; regular expressions, not anchored.")] = ()
    labels_allowlist: Annotated[Allowlist, text("Labels in kube_*_labels, by resource; `*` stands for all.")] = (
        field(default_factory=dict)
    )
    annotations_allowlist: Annotated[Allowlist, text("Annotations in kube_*_annotations, by resource; `*` stands for all.")] = field(
        default_factory=dict
    )
    node: Annotated[str, text("Watch only the pods of this node; other resources are watched whole.")] = ""
    track_unscheduled_pods: Annotated[bool, text("Watch only pods without a node; other resources are watched whole.")] = False
    use_apiserver_cache: Annotated[bool, text("Ask the API server to answer lists from its cache (resourceVersion=0).")] = False
    object_limit: Annotated[
        int,
        text(
            "Maximum of objects in a list, per resource, and per namespace if `namespaces` is set; 0: all. Objects that are "
            "created later are not limited.",
            ge=0,
            le=2**31 - 1,
        ),
    ] = 0
    resync_period: Annotated[
        Duration,
        text(
            "Interval of complete relists, varied by a tenth; 0s: none. Relists are not needed for correctness: a watch that "
            "has missed events ends in a relist by itself."
        ),
    ] = Duration(0)
    shard: Annotated[
        int, text("Shard of this agent, from 0; jump consistent hash of the UID assigns each object to a shard.", ge=0)
    ] = 0
    total_shards: Annotated[int, text("Number of shards that the objects are divided into.", ge=1, le=2**31 - 1)] = 1
    pod: Annotated[
        str,
        text(
            "Name of the agent's pod in a StatefulSet, as ${POD_NAME}. The pod's ordinal and the replicas then replace shard and "
            "total_shards, also when they change."
        ),
    ] = ""
    pod_namespace: Annotated[str, text("Namespace of that pod, as ${POD_NAMESPACE}.")] = ""
    page_objects: Annotated[int, text("Objects per block of a store.", ge=1, le=4096)] = 64
    flush_interval: Annotated[Duration, text("Time for which changes are collected before a publication.", least=0.01)] = Duration(0.1)
    arena_limit: Annotated[
        Size, text("Maximum of shared memory of one worker; a change needs a restart of the agent.", least=16 << 20)
    ] = Size(4 << 30)
    labels_on_series: LabelsOnSeries = field(default_factory=LabelsOnSeries)
    custom_resource_state: CustomResourceState = field(default_factory=CustomResourceState)


class Cadvisor(Section, frozen=True):
    """Metrics of this node's containers."""

    enabled: Annotated[bool, text("Read cgroups and serve container_* metrics.")] = True
    cgroup_root: Annotated[str, text("Mount point of the cgroup hierarchies.")] = "/sys/fs/cgroup"
    proc_root: Annotated[str, text("Mount point of the host's /proc.")] = "/proc"
    sys_root: Annotated[str, text("Mount point of the host's /sys.")] = "/sys"
    collect_interval: Annotated[Duration, text("Time between two passes over the cgroups.", least=1.0)] = Duration(10)
    housekeeping_interval: Annotated[Duration, text("Time between two readings of the machine's properties and mounts.")] = Duration(60)
    disk_usage_interval: Annotated[
        Duration,
        text("Time between two measurements of the disk usage of containers, which take at most 5 % of a CPU; 0s: none."),
    ] = Duration(60)
    linger: Annotated[
        Duration,
        text(
            "Time for which the last series of a container that has ended are kept, with their last container_last_seen; a container "
            "of the same name ends it; 0s: none."
        ),
    ] = Duration(0)
    disk_io_enabled: Annotated[bool, text("Collect disk I/O.")] = True
    network_enabled: Annotated[bool, text("Collect network counters.")] = True
    per_cpu_enabled: Annotated[bool, text("Collect CPU time of each CPU instead of the sum; on cgroup v1 only.")] = False
    enabled_metrics: Annotated[Names, text("Groups of metrics to collect in addition to the default ones (docs/containers.md).")] = ()
    disabled_metrics: Annotated[Names, text("Groups of metrics not to collect.")] = ()
    metric_allowlist: Annotated[
        Patterns, text("Families container_* and machine_* to keep; regular expressions, not anchored.")
    ] = ()
    metric_denylist: Annotated[
        Patterns, text("Families container_* and machine_* to drop; regular expressions, not anchored.")
    ] = ()
    namespaces: Annotated[
        Names, text("Namespaces whose pods and containers are served; empty: all, and cgroups outside pods as well.")
    ] = ()
    namespaces_exclude: Annotated[Names, text("Namespaces whose pods and containers are not served.")] = ()
    raw_cgroups: Annotated[
        bool, text("Serve every cgroup, not only containers, pods and the system's (docs/containers.md#which-cgroups-are-shown).")
    ] = False
    root: Annotated[str, text("Mount point of the host's /, for names and layers of containers and for file systems.")] = "/"
    pod_labels: Annotated[
        Names, text("Pod labels to add to every series of a container, as label_NAME; each may have one `*`.")
    ] = ()
    pod_annotations: Annotated[Names, text("Pod annotations to add in the same way, as annotation_NAME.")] = ()
    namespace_labels: Annotated[Names, text("Namespace labels to add in the same way, as namespace_label_NAME.")] = ()
    container_labels: Annotated[
        Names,
        text("Labels of containers of Docker, podman and CRI-O to add as container_label_NAME; each may have one `*`."),
    ] = ()
    container_env: Annotated[
        Names, text("Environment variables of containers to add as container_env_NAME; each may have one `*`.")
    ] = ()
    workload: Annotated[
        bool, text("Add the owner of the pod to every series of a container, as workload and workload_kind.")
    ] = False


class Otlp(Section, frozen=True):
    """The receiver of pushed metrics and logs. A setting that is empty or null follows the standard variable named with it."""

    endpoint: Annotated[
        str,
        text(
            "Base URL of the receiver, to which /v1/metrics and /v1/logs are appended, or with grpc http:// (without TLS) or https:// and "
            "the address; empty: $OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318, with grpc http://localhost:4317.",
            pattern=text_formats.URL,
        ),
    ] = ""
    protocol: Annotated[
        Optional[Literal["http/protobuf", "grpc"]],
        text("Protocol; grpc needs the extra telegen[grpc], which the image has; null: $OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf."),
    ] = None
    headers: Annotated[
        Mapping[str, str],
        text("Headers of every request, such as `authorization`; empty: $OTEL_EXPORTER_OTLP_HEADERS. Values are never shown.", secret=True),
    ] = field(default_factory=dict)
    compression: Annotated[
        Optional[Literal["gzip", "none"]],
        text("Compression of requests; null: $OTEL_EXPORTER_OTLP_COMPRESSION, else gzip, and none with grpc, whose gzip is slow."),
    ] = None
    timeout: Annotated[
        Optional[Duration], text("Timeout of a request; null: $OTEL_EXPORTER_OTLP_TIMEOUT (milliseconds), else 10s.", least=0.1)
    ] = None
    max_request_size: Annotated[
        Size, text("Largest request before compression.", least=64 << 10)
    ] = Size(3 << 20)
    ca_file: Annotated[
        str, text("CA of the receiver (PEM); empty: $OTEL_EXPORTER_OTLP_CERTIFICATE, else the CAs of the system.")
    ] = ""
    certificate_file: Annotated[
        str, text("Client certificate (PEM), read again when it changes; empty: $OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE.")
    ] = ""
    key_file: Annotated[str, text("Key of the client certificate (PEM); empty: $OTEL_EXPORTER_OTLP_CLIENT_KEY.")] = ""
    insecure_skip_verify: Annotated[bool, text("Accept any certificate of the receiver.")] = False
    service_version: Annotated[
        bool, text("Send the version of the agent as service.version. Some receivers make it a label of every series.")
    ] = True


class Streaming(Section, frozen=True):
    """Push of all metrics by OTLP."""

    enabled: Annotated[bool, text("Push metrics to the receiver of `kube_metrics.otlp`.")] = False
    interval: Annotated[
        Optional[Duration], text("Time between two pushes; null: $OTEL_METRIC_EXPORT_INTERVAL (milliseconds), else 15s.", least=1.0)
    ] = None
    batch_size: Annotated[int, text("Maximum of data points per request.", ge=1, le=100_000)] = 4096
    queue_size: Annotated[
        int, text("Pushes kept while the receiver is unavailable; one more drops the oldest.", ge=1, le=1000)
    ] = 4
    flush_timeout: Annotated[
        Duration, text("Time at the end of the agent for what is not sent yet; less than supervisor.grace_period.", least=0.1)
    ] = Duration(5)
    naming: Annotated[
        Literal["prometheus", "semconv"],
        text("Names, labels and resources: those of the page, or those of OpenTelemetry's semantic conventions 1.44."),
    ] = "prometheus"
    use_otlp: Annotated[bool, text("false: turn the push off.")] = True


class LogsStreaming(Section, frozen=True):
    """Kubernetes events as OTLP logs, sent once per cluster to the receiver of `kube_metrics.otlp`."""

    enabled: Annotated[bool, text("Send Kubernetes events as OTLP logs.")] = False
    buffer_size: Annotated[
        int, text("Events kept while the receiver is unavailable, of 8 KiB on average; one more drops the oldest.", ge=1, le=1_000_000)
    ] = 1000
    flush_interval: Annotated[Duration, text("Time after which a partial batch is sent.", least=0.05)] = Duration(5)
    event_types: Annotated[Names, text("Types of events to send; empty: all.")] = ("Normal", "Warning")
    minimum_severity: Annotated[
        Literal["normal", "warning", "error", "critical"], text("Lowest severity, by the type of the event; other types count as normal.")
    ] = "normal"
    reasons: Annotated[Names, text("Reasons of events to send; empty: all.")] = ()
    kinds: Annotated[Names, text("Kinds of objects whose events are sent, such as Pod; empty: all.")] = ()
    namespaces: Annotated[Names, text("Namespaces whose events are sent; empty: all.")] = ()
    namespaces_exclude: Annotated[Names, text("Namespaces whose events are not sent.")] = ()
    object_rate: Annotated[
        int, text("Events of one object per minute; the next one that is sent has the number of those held back. 0: all.", ge=0, le=100_000)
    ] = 0
    object_labels: Annotated[
        Names,
        text(
            "Labels of the object to add to its events as k8s.KIND.label.NAME; each may have one `*`. Only of resources that are watched, "
            "read by name: one request per object in five minutes, 20 per second at most. Empty: none."
        ),
    ] = ()
    delivery: Annotated[
        Literal["at_least_once", "at_most_once"],
        text("Effect of a crash on the last batch: at_least_once may repeat it, at_most_once may lose it."),
    ] = "at_least_once"
    series_limit: Annotated[int, text("Maximum of series of telegen_kubernetes_events_total.", ge=1, le=100_000)] = 1000


class Terminations(Section, frozen=True):
    """Ends of the containers of this node's pods. They need the node's name (`node_name` or $NODE_NAME), an API server and
    `cadvisor.enabled`."""

    enabled: Annotated[bool, text("Count ends in telegen_container_terminations_total.")] = True
    series_limit: Annotated[
        int, text("Maximum of series of telegen_container_terminations_total; ends beyond it are counted as `other`.", ge=1, le=100_000)
    ] = 10_000
    logs: Annotated[
        bool, text("Send each end as an OTLP log while logs_streaming is on, whose namespaces, buffer and flush_interval apply.")
    ] = True
    minimum_severity: Annotated[
        Literal["normal", "warning"], text("normal: send all ends; warning: only those with an exit code other than 0, or an unknown one.")
    ] = "normal"


class SignalFields(Section, frozen=True):
    """telegen.* attributes to add."""

    enable_category: Annotated[bool, text("Add telegen.signal.category.")] = True
    enable_subcategory: Annotated[bool, text("Add telegen.signal.subcategory.")] = True
    enable_source_module: Annotated[bool, text("Add telegen.source.module.")] = True
    enable_bpf_component: Annotated[bool, without_effect("Accepted for compatibility: no signal has a BPF component.")] = True
    enable_collector_type: Annotated[bool, text("Add telegen.collector.type.")] = True
    enable_description: Annotated[bool, text("Add telegen.signal.description.")] = False


class SignalMetadata(Section, frozen=True):
    """telegen.* attributes on pushed signals. Receivers such as Prometheus make them labels."""

    enabled: Annotated[bool, text("Add telegen.* attributes.")] = True
    fields: SignalFields = field(default_factory=SignalFields)


class SeriesLimits(Section, frozen=True):
    """Budgets of series. What arrives when one is used up is withheld, and appears when there is room (docs/scale.md)."""

    series: Annotated[
        int, text("Maximum of all kube_*, container_* and machine_* series of this agent; 0: none.", ge=0, le=MOST_SERIES)
    ] = 0
    per_store: Annotated[
        int, text("Maximum of series of a resource, of a kind of custom resources, or of the containers; 0: none.", ge=0, le=MOST_SERIES)
    ] = 0
    per_family: Annotated[int, text("Maximum of series of a family; 0: none.", ge=0, le=MOST_SERIES)] = 0
    stores: Annotated[
        Budgets,
        text(
            "The same by name instead of per_store: a resource, PLURAL.GROUP of custom resources, containers, or customresources "
            "for definitions, APIServices and the numbers of kinds."
        ),
    ] = field(default_factory=dict)
    families: Annotated[Budgets, text("The same by name of the family instead of per_family.")] = field(default_factory=dict)


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
    listen_address: Annotated[ListenAddress, text("Address of the pages.")] = ListenAddress(":9443")
    telemetry_address: Annotated[
        Optional[ListenAddress],
        text(
            "Second address for the agent's own metrics, at /metrics there, and for the probes; null: only /telemetry on "
            "listen_address."
        ),
    ] = None
    metrics_path: Annotated[str, text("Path of the page.", pattern=text_formats.PAGE_PATH)] = "/metrics"
    separate_endpoints: Annotated[bool, text("Also serve each source by itself: metrics_path/kubestate, metrics_path/cadvisor.")] = False
    openmetrics_created: Annotated[
        bool,
        text(
            "Add NAME_created to counters in OpenMetrics: of containers the creation of the cgroup, of restarts that of the pod, "
            "of counters with expressions that of the object. Pushed sums have it as start time. It doubles the series of counters."
        ),
    ] = False
    max_staleness: Annotated[
        Duration,
        text(
            "Time without an answer or event of the API server, a 403 not counted, after which a store is withheld: its series are "
            "absent instead of old. 0s: never; else at least 10s, as watches end and begin again."
        ),
    ] = Duration(0)
    scope: Annotated[
        Literal["auto", "node", "cluster"],
        text(
            "node: this node's containers and, while this agent holds a Lease, all kube_* series of its shard; cluster: always all "
            "kube_* series; auto: node in a cluster where node_name is known, else cluster."
        ),
    ] = "auto"
    node_name: Annotated[str, text("Name of this agent's node; empty: $NODE_NAME.")] = ""
    election: Election = field(default_factory=Election)
    limits: SeriesLimits = field(default_factory=SeriesLimits)
    kube_state: KubeState = field(default_factory=KubeState)
    cadvisor: Cadvisor = field(default_factory=Cadvisor)
    otlp: Otlp = field(default_factory=Otlp)
    streaming: Streaming = field(default_factory=Streaming)
    logs_streaming: LogsStreaming = field(default_factory=LogsStreaming)
    terminations: Terminations = field(default_factory=Terminations)
    signal_metadata: SignalMetadata = field(default_factory=SignalMetadata)


class Kubernetes(Section, frozen=True):
    """The cluster."""

    enable: Annotated[bool, text("Let the agent use the API of the cluster that it runs in.")] = True
    cluster_name: Annotated[
        str, text("Label `cluster` of every kube_* and container_* series; empty: none.", pattern=text_formats.LABEL_VALUE)
    ] = ""
    cluster_uid: Annotated[
        bool, text("Use the UID of the namespace kube-system as label `cluster` if cluster_name is empty.")
    ] = False
    informers_sync_timeout: Annotated[
        Duration, without_effect("Accepted for compatibility: the agent serves each resource once it is synced; `api` has the timeouts.")
    ] = Duration(30)
    informers_resync_period: Annotated[
        Duration, without_effect("Accepted for compatibility: there are no informers; kube_metrics.kube_state.resync_period relists.")
    ] = Duration(1800)
    resource_labels: Annotated[
        Names,
        without_effect("Accepted for compatibility: labels_allowlist and labels_on_series of kube_metrics.kube_state select labels."),
    ] = ()


class Api(Section, frozen=True):
    """Requests to the API server."""

    connect_timeout: Annotated[Duration, text("Timeout of a connection attempt.", least=0.1)] = Duration(5)
    read_timeout: Annotated[
        Duration,
        text(
            "Time without data after which a connection is closed, and time for all headers of an answer; bookmarks arrive every one "
            "or two minutes.",
            least=0.1,
        ),
    ] = Duration(150)
    list_page_size: Annotated[int, text("Objects per page of a list.", ge=1, le=10000)] = 500
    max_response_size: Annotated[
        Size, text("Bytes of the largest list, decompressed. A list from the API server's cache is not divided into pages.", least=1 << 20)
    ] = Size(1 << 30)
    initial_events_timeout: Annotated[
        Duration, text("Timeout of a streamed list; after it the agent requests a paged list.")
    ] = Duration(120)
    watch_timeout_min: Annotated[Duration, text("Minimum of the random timeoutSeconds of a watch.", least=1.0)] = Duration(300)
    watch_timeout_max: Annotated[Duration, text("Maximum of the random timeoutSeconds of a watch.")] = Duration(600)
    backoff_initial: Annotated[Duration, text("First delay after an error; doubles, with full jitter.", least=0.001)] = Duration(0.8)
    backoff_max: Annotated[Duration, text("Longest delay after errors.")] = Duration(30)
    backoff_reset: Annotated[Duration, text("Time without errors after which the delay is reset.")] = Duration(120)


class Web(Section, frozen=True):
    """Web server."""

    workers: Annotated[
        Union[Annotated[int, Meta(ge=1, le=32)], Literal["auto"]],
        text("Number of web processes; auto: one, and two while this agent holds the Lease of a shard."),
    ] = "auto"
    web_config_file: Annotated[
        str,
        text(
            "File with TLS, passwords and headers of listen_address, in the format of Prometheus' exporter-toolkit (docs/security.md); "
            "empty: none. The agent follows changes of it and of the files that it names."
        ),
    ] = ""
    auth: Annotated[
        Literal["none", "kubernetes"],
        text("kubernetes: the API server authenticates the bearer token of each request (TokenReview) and authorizes its path."),
    ] = "none"
    threads: Annotated[int, without_effect("Accepted for compatibility: a web process needs no thread for a client.", ge=1, le=64)] = 4
    read_timeout: Annotated[
        Duration, text("Time for a request to arrive, from the connection or its first byte on.", least=1.0)
    ] = Duration(10)
    write_timeout: Annotated[
        Duration, text("Time over which the rate of a client that is sent a response is measured.", least=1.0)
    ] = Duration(10)
    min_rate: Annotated[
        Size, text("Bytes per second; a client that takes less of its response over write_timeout is dropped.", least=1024)
    ] = Size(64 << 10)
    idle_timeout: Annotated[Duration, text("Time that a connection may be idle between two requests.", least=1.0)] = Duration(75)
    max_header_size: Annotated[Size, text("Bytes of all headers of a request.", least=8192)] = Size(64 << 10)
    max_connections: Annotated[
        int,
        text(
            "Connections of one web process that have sent nothing yet; a quarter as many may have. Beyond it the one that has "
            "been quiet for longest is dropped.",
            ge=16,
            le=100_000,
        ),
    ] = 1000
    max_answers: Annotated[
        int,
        text(
            "Responses that one web process sends at once. Beyond it one is dropped whose client has taken nothing for 2 s, and at "
            "four times as many the slowest one at once.",
            ge=4,
            le=10_000,
        ),
    ] = 64
    body_memory: Annotated[
        Size,
        text(
            "Memory of one web process for the pages that it is sending, in which two of the largest page always fit. Clients of "
            "the same page share it. Beyond it pages older than 5 s are dropped with their clients.",
            least=1 << 20,
        ),
    ] = Size(48 << 20)


class Supervising(Section, frozen=True):
    """Supervision of processes."""

    grace_period: Annotated[Duration, text("Time for processes to end before they are killed.", least=1.0)] = Duration(10)
    heartbeat_timeout: Annotated[Duration, text("Time without a heartbeat after which a process is aborted.", least=3.0)] = Duration(10)
    worker_grace: Annotated[Duration, text("Time without a heartbeat, or out of sync, after which /readyz fails.")] = Duration(30)
    backoff_initial: Annotated[Duration, text("Delay before a process is restarted; doubles with each restart.", least=0.01)] = Duration(
        0.5
    )
    backoff_max: Annotated[Duration, text("Maximum of this delay.")] = Duration(30)
    pidfile: Annotated[str, text("File with the pid of the agent; empty: none. A change needs a restart of the agent.")] = ""


class Log(Section, frozen=True):
    """Logs on standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], text("Lowest severity to log.")] = "info"
    format: Annotated[Literal["text", "json"], text("Format of log lines.")] = "text"


class Config(Section, frozen=True):
    """The whole configuration."""

    kubernetes: Kubernetes = field(default_factory=Kubernetes)
    kube_metrics: KubeMetrics = field(default_factory=KubeMetrics)
    adapter: Adapter = field(default_factory=Adapter)
    api: Api = field(default_factory=Api)
    web: Web = field(default_factory=Web)
    supervisor: Supervising = field(default_factory=Supervising)
    log: Log = field(default_factory=Log)
