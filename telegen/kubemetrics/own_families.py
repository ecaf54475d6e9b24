"""Families of the agent's own metrics, served at /telemetry; docs/metrics/agent.md is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Mode = Literal["livemostrecent", "livesum", "livemin"]
"""Aggregation of the values of several processes; processes that `telemetry.forget` has dropped do not count."""


class OwnFamily(NamedTuple):
    """One family.

    Attributes:
        type: `gauge`, `counter` or `histogram`.
        help: one sentence.
        labels: names of the labels.
        mode: of gauges that processes write.
    """

    name: str
    type: str
    help: str
    labels: tuple[str, ...]
    mode: Mode = "livemostrecent"


def gauge(name: str, help: str, *labels: str, mode: Mode = "livemostrecent") -> OwnFamily:
    """Declare a gauge."""
    return OwnFamily(name, "gauge", help, labels, mode)


def counter(name: str, help: str, *labels: str) -> OwnFamily:
    """Declare a counter."""
    return OwnFamily(name, "counter", help, labels)


def histogram(name: str, help: str, *labels: str) -> OwnFamily:
    """Declare a histogram."""
    return OwnFamily(name, "histogram", help, labels)


_FAMILIES = (
    gauge("telegen_store_objects", "Objects in a store.", "store", mode="livesum"),
    gauge("telegen_store_pages", "Pages of a store.", "store", mode="livesum"),
    gauge("telegen_store_bytes", "Shared memory of the pages of a store in bytes.", "store", mode="livesum"),
    gauge(
        "telegen_store_left_out_objects",
        "Objects beyond object_limit in the last list; NaN if the API server does not report their number.",
        "store",
    ),
    gauge(
        "telegen_store_last_event_timestamp_seconds",
        "Time of the last response or event of the source in Unix seconds; absent for resources that the API server lacks.",
        "store",
        mode="livemin",
    ),
    gauge(
        "telegen_store_last_sync_timestamp_seconds",
        "Time of the last complete list of the store in Unix seconds.",
        "store",
        mode="livemin",
    ),
    counter("telegen_api_lists_total", "Requests for a complete list, by list or by watch.", "store", "by"),
    counter("telegen_api_watches_total", "Watches opened.", "store"),
    counter("telegen_api_relists_total", "Lists after the first one.", "store"),
    counter("telegen_api_events_total", "Watch events received.", "store"),
    counter("telegen_api_received_bytes_total", "Bytes of responses after decompression.", "store"),
    counter("telegen_api_errors_total", "Failed requests and broken streams.", "store", "reason"),
    counter("telegen_malformed_objects_total", "Objects left out because they cannot be read.", "store"),
    counter("telegen_generate_errors_total", "Families skipped for an object because of malformed data.", "store", "family"),
    counter("telegen_series_withheld_total", "Series that had no room in a budget of limits when they arrived.", "family"),
    gauge(
        "telegen_customresource_forbidden",
        "1 while the API server refuses to list or watch a custom resource (403), else 0.",
        "group",
        "resource",
    ),
    counter("telegen_lease_requests_total", "Requests about Leases, without watches.", "verb"),
    counter("telegen_sample_errors_total", "Failed readings of control files.", "reason"),
    gauge("telegen_sample_unnamed_containers", "Containers whose names are neither in the files of their runtime nor in the API."),
    gauge("telegen_sample_duration_seconds", "Duration of the last pass over the cgroups in seconds."),
    counter("telegen_worker_restarts_total", "Restarts of a process.", "worker"),
    gauge("telegen_shard_ordinal", "Number of the shard of this agent, from 0."),
    gauge("telegen_total_shards", "Number of shards that the objects are divided into; 0 if unknown or divided by Leases."),
    counter("telegen_config_reloads_total", "Configuration reloads.", "result"),
    histogram("telegen_scrape_duration_seconds", "Time to assemble a page, without sending it.", "path", "coding"),
    counter(
        "telegen_http_refused_total",
        "Requests without permission, by status: 401, 403, or 503 for one that was not decided.",
        "status",
    ),
    counter("telegen_scrape_bytes_total", "Bytes of pages before transfer.", "path", "coding"),
    counter("telegen_http_clients_dropped_total", "Connections that the agent ended because of their clients, by reason.", "reason"),
    gauge("telegen_build_info", "Version of the agent.", "version", "python"),
    gauge("telegen_worker_heartbeat_age_seconds", "Time since the last heartbeat of a process.", "worker"),
    counter("telegen_worker_cpu_seconds_total", "CPU time of a process in user and kernel mode since its start.", "worker"),
    gauge(
        "telegen_worker_resident_memory_bytes",
        "Resident memory of a process, including pages shared with other processes.",
        "worker",
    ),
    gauge("telegen_shard_served", "1 while this agent serves the shard of a Lease, else 0.", "lease"),
    gauge(
        "telegen_cluster_info",
        "UID of the namespace kube-system, as the cluster's; on agents that use it as a label or watch namespaces.",
        "uid",
    ),
    counter("telegen_push_points_total", "Data points of pushed metrics by outcome.", "outcome"),
    counter("telegen_push_requests_total", "Requests to the OTLP receiver by outcome.", "signal", "outcome"),
    counter("telegen_push_bytes_total", "Bytes of bodies sent to the OTLP receiver.", "signal"),
    gauge("telegen_push_queue_pushes", "Pushes that wait or are being sent."),
    gauge("telegen_push_oldest_timestamp_seconds", "Time of the oldest push that waits, in Unix seconds; 0 if there is none."),
    gauge(
        "telegen_push_last_success_timestamp_seconds",
        "Time of the last push that was sent whole, in Unix seconds; before the first one that of the start.",
    ),
    gauge("telegen_push_interval_seconds", "Time between two pushes in seconds."),
    gauge("telegen_push_encode_seconds", "Duration of the encoding of the last push in seconds."),
    counter("telegen_kubernetes_events_total", "Kubernetes events by what they regard.", "namespace", "type", "reason", "kind"),
    counter("telegen_events_handled_total", "Kubernetes events by what became of them.", "outcome"),
    counter("telegen_events_requests_total", "Requests with events to the OTLP receiver by outcome.", "outcome"),
    counter("telegen_events_label_lookups_total", "Objects whose labels were requested for their events, by outcome.", "outcome"),
    gauge("telegen_events_buffer", "Events that wait to be sent."),
    counter("telegen_terminations_handled_total", "Ends of containers by what became of their logs.", "outcome"),
    counter("telegen_terminations_requests_total", "Requests with ends of containers to the OTLP receiver by outcome.", "outcome"),
    counter("telegen_adapter_requests_total", "Requests for the metrics APIs, by API group and status code.", "group", "code"),
    histogram("telegen_adapter_request_duration_seconds", "Time to check and answer a request for the metrics APIs.", "group"),
    counter("telegen_adapter_values_total", "Values in answers of the metrics APIs, by source: rule or live.", "group", "source"),
    histogram("telegen_adapter_freshness_seconds", "Age of the oldest value of an answer of the metrics APIs.", "group", "source"),
    counter(
        "telegen_adapter_reviews_total",
        "Questions to the API server about clients: TokenReview, SubjectAccessReview; by result.",
        "kind",
        "result",
    ),
    counter("telegen_adapter_left_out_samples_total", "Samples of Prometheus and pods of agents that no answer has, by reason.", "reason"),
    counter("telegen_adapter_relists_total", "Discoveries of the metrics of rules.", "result"),
    gauge("telegen_adapter_last_relist_timestamp_seconds", "Time of the last discovery that succeeded, in Unix seconds."),
    gauge("telegen_adapter_rule_metrics", "Metrics that the rules give, by API group.", "group"),
    gauge(
        "telegen_adapter_certificate_end_timestamp_seconds",
        "End of a certificate in force in Unix seconds: ca, serving, client or agents.",
        "certificate",
    ),
    counter("telegen_adapter_polls_total", "Polls of agents by result.", "result"),
    counter("telegen_adapter_poll_duration_seconds_total", "Time from the start to the end of all polls in seconds."),
    gauge("telegen_adapter_agents", "Agents: in the EndpointSlices (known), ready there, and ready but not answering (silent).", "state"),
    gauge("telegen_adapter_oldest_document_seconds", "Age of the oldest of the newest documents of ready agents; 0 without any."),
    gauge("telegen_adapter_skewed_agents", "Agents whose times are corrected because their clocks differ from the adapter's."),
    gauge(
        "telegen_store_out_of_sync_seconds",
        "Time since the last answer or event of the source; 0 while the store is in sync.",
        "store",
    ),
    gauge("telegen_store_withheld", "1 while max_staleness withholds a store, else 0.", "store"),
    gauge("telegen_withheld_series", "Series of a family that a budget withholds now.", "family"),
    gauge("telegen_series_budget_used_ratio", "Used share of the budget of all series, and of others from 0.8 on.", "budget"),
    gauge(
        "telegen_signal_info",
        "Signal metadata of the families with a prefix, always 1.",
        "prefix",
        "signal_category",
        "signal_subcategory",
        "source_module",
        "collector_type",
        "signal_description",
    ),
)
OWN_FAMILIES: Mapping[str, OwnFamily] = {family.name: family for family in _FAMILIES}
"""Families by name, in the order of the document."""
