"""Units of families that keep their Prometheus name.

Receivers that follow Prometheus' default strategy append the word of a unit to a name that lacks it, and drop units in braces. So a unit
is sent only where the name ends with its word already, or in braces.
"""

from __future__ import annotations

from collections.abc import Mapping

SUFFIXES: Mapping[str, str] = {"_seconds": "s", "_bytes": "By", "_watts": "W"}
"""Unit (UCUM) by the end of a name, without `_total`."""

COUNTED: Mapping[str, tuple[str, ...]] = {
    "{address}": (
        "kube_endpoint_address_available",
        "kube_endpoint_address_not_ready",
    ),
    "{book}": (
        "machine_cpu_books",
    ),
    "{core}": (
        "machine_cpu_physical_cores",
    ),
    "{cpu}": (
        "kube_pod_overhead_cpu_cores",
        "machine_cpu_cores",
    ),
    "{descriptor}": (
        "container_file_descriptors",
        "container_sockets",
    ),
    "{distance}": (
        "machine_node_distance",
    ),
    "{drawer}": (
        "machine_cpu_drawers",
    ),
    "{event}": (
        "container_memory_events_high_total",
        "container_memory_events_max_total",
        "container_oom_events_total",
        "container_perf_events_total",
        "container_perf_uncore_events_total",
    ),
    "{exit_code}": (
        "kube_pod_container_status_last_terminated_exitcode",
        "kube_pod_init_container_status_last_terminated_exitcode",
    ),
    "{failure}": (
        "container_hugetlb_failcnt",
        "container_memory_failcnt",
    ),
    "{fault}": (
        "container_memory_failures_total",
    ),
    "{generation}": (
        "kube_daemonset_metadata_generation",
        "kube_daemonset_status_observed_generation",
        "kube_deployment_metadata_generation",
        "kube_deployment_status_observed_generation",
        "kube_horizontalpodautoscaler_metadata_generation",
        "kube_horizontalpodautoscaler_status_observed_generation",
        "kube_poddisruptionbudget_status_observed_generation",
        "kube_replicaset_metadata_generation",
        "kube_replicaset_status_observed_generation",
        "kube_replicationcontroller_metadata_generation",
        "kube_replicationcontroller_status_observed_generation",
        "kube_statefulset_metadata_generation",
        "kube_statefulset_status_observed_generation",
    ),
    "{inode}": (
        "container_fs_inodes_free",
        "container_fs_inodes_total",
    ),
    "{job}": (
        "kube_cronjob_spec_failed_job_history_limit",
        "kube_cronjob_spec_successful_job_history_limit",
        "kube_cronjob_status_active",
    ),
    "{milli_task}": (
        "container_cpu_load_average_10s",
        "container_cpu_load_d_average_10s",
    ),
    "{module}": (
        "machine_dimm_count",
    ),
    "{node}": (
        "kube_daemonset_status_current_number_scheduled",
        "kube_daemonset_status_desired_number_scheduled",
        "kube_daemonset_status_number_available",
        "kube_daemonset_status_number_misscheduled",
        "kube_daemonset_status_number_ready",
        "kube_daemonset_status_number_unavailable",
        "kube_daemonset_status_updated_number_scheduled",
    ),
    "{operation}": (
        "container_fs_io_current",
        "container_fs_reads_merged_total",
        "container_fs_reads_total",
        "container_fs_writes_merged_total",
        "container_fs_writes_total",
    ),
    "{ordinal}": (
        "kube_statefulset_ordinals_start",
    ),
    "{packet}": (
        "container_network_receive_errors_total",
        "container_network_receive_packets_dropped_total",
        "container_network_receive_packets_total",
        "container_network_transmit_errors_total",
        "container_network_transmit_packets_dropped_total",
        "container_network_transmit_packets_total",
    ),
    "{page}": (
        "container_memory_numa_pages",
        "container_memory_pgscan_total",
        "container_memory_pgsteal_total",
        "container_memory_workingset_refault_anon_total",
        "container_memory_workingset_refault_file_total",
        "machine_node_hugepages_count",
    ),
    "{period}": (
        "container_cpu_cfs_burst_periods_total",
        "container_cpu_cfs_periods_total",
        "container_cpu_cfs_throttled_periods_total",
    ),
    "{pod}": (
        "kube_deployment_spec_replicas",
        "kube_deployment_spec_strategy_rollingupdate_max_surge",
        "kube_deployment_spec_strategy_rollingupdate_max_unavailable",
        "kube_deployment_status_replicas",
        "kube_deployment_status_replicas_available",
        "kube_deployment_status_replicas_ready",
        "kube_deployment_status_replicas_unavailable",
        "kube_deployment_status_replicas_updated",
        "kube_deployment_status_terminating_replicas",
        "kube_horizontalpodautoscaler_spec_max_replicas",
        "kube_horizontalpodautoscaler_spec_min_replicas",
        "kube_horizontalpodautoscaler_status_current_replicas",
        "kube_horizontalpodautoscaler_status_desired_replicas",
        "kube_job_spec_completions",
        "kube_job_spec_parallelism",
        "kube_job_status_active",
        "kube_job_status_failed",
        "kube_job_status_ready",
        "kube_job_status_succeeded",
        "kube_poddisruptionbudget_status_current_healthy",
        "kube_poddisruptionbudget_status_desired_healthy",
        "kube_poddisruptionbudget_status_expected_pods",
        "kube_poddisruptionbudget_status_pod_disruptions_allowed",
        "kube_replicaset_spec_replicas",
        "kube_replicaset_status_fully_labeled_replicas",
        "kube_replicaset_status_ready_replicas",
        "kube_replicaset_status_replicas",
        "kube_replicaset_status_terminating_replicas",
        "kube_replicationcontroller_spec_replicas",
        "kube_replicationcontroller_status_available_replicas",
        "kube_replicationcontroller_status_fully_labeled_replicas",
        "kube_replicationcontroller_status_ready_replicas",
        "kube_replicationcontroller_status_replicas",
        "kube_statefulset_replicas",
        "kube_statefulset_status_replicas",
        "kube_statefulset_status_replicas_available",
        "kube_statefulset_status_replicas_current",
        "kube_statefulset_status_replicas_ready",
        "kube_statefulset_status_replicas_updated",
    ),
    "{process}": (
        "container_processes",
    ),
    "{resource_version}": (
        "kube_clusterrole_metadata_resource_version",
        "kube_clusterrolebinding_metadata_resource_version",
        "kube_configmap_metadata_resource_version",
        "kube_cronjob_metadata_resource_version",
        "kube_ingress_metadata_resource_version",
        "kube_mutatingwebhookconfiguration_metadata_resource_version",
        "kube_role_metadata_resource_version",
        "kube_rolebinding_metadata_resource_version",
        "kube_secret_metadata_resource_version",
        "kube_validatingwebhookconfiguration_metadata_resource_version",
    ),
    "{restart}": (
        "kube_pod_container_status_restarts_total",
        "kube_pod_init_container_status_restarts_total",
    ),
    "{rule}": (
        "kube_networkpolicy_spec_egress_rules",
        "kube_networkpolicy_spec_ingress_rules",
    ),
    "{sector}": (
        "container_fs_sector_reads_total",
        "container_fs_sector_writes_total",
    ),
    "{share}": (
        "container_spec_cpu_shares",
    ),
    "{socket}": (
        "container_network_tcp6_usage_total",
        "container_network_tcp_usage_total",
        "machine_cpu_sockets",
    ),
    "{task}": (
        "container_tasks_state",
        "container_threads",
        "container_threads_max",
    ),
    "{termination}": (
        "telegen_container_terminations_total",
    ),
    "{thread}": (
        "machine_thread_siblings_count",
    ),
    "{timeslice}": (
        "container_cpu_schedstat_run_periods_total",
    ),
}
"""Families by the thing that they count."""

_BY_FAMILY = {name: unit for unit, names in COUNTED.items() for name in names}


def unit_of(family: str) -> str:
    """Return the unit to send for a family, "" for none."""
    base = family.removesuffix("_total")
    found = next((unit for suffix, unit in SUFFIXES.items() if base.endswith(suffix)), "")
    return found or _BY_FAMILY.get(family, "")
