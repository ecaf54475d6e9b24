"""The live custom metrics: one table. A new one is one entry here, and its column in telegen/cadvisor/usage/columns.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from telegen.adapter.rest_mapping import NAMESPACES, NODES, PODS, GroupResource, Mapped

Combine = Callable[[Iterable[float]], float]
"""Makes one value of those of containers or pods; there is at least one."""
RESOURCES = {
    PODS: Mapped(PODS, "v1", "Pod", True, "pod"),
    NODES: Mapped(NODES, "v1", "Node", False, "node"),
    NAMESPACES: Mapped(NAMESPACES, "v1", "Namespace", False, "namespace"),
}


class LiveMetric(NamedTuple):
    """A metric of pods, of namespaces, and of nodes if they have the column.

    Attributes:
        column: of the agents' documents.
        of_containers: True if containers have the column, False if the pod as a whole has it.
        combine: makes the value of a pod of those of its containers, and the value of a namespace of those of its pods.
        of_nodes: True if nodes have the column.
        text: the value and its unit, for people.
    """

    name: str
    column: str
    of_containers: bool
    combine: Combine
    of_nodes: bool
    text: str

    @property
    def resources(self) -> tuple[GroupResource, ...]:
        return (PODS, NAMESPACES, NODES) if self.of_nodes else (PODS, NAMESPACES)


def _of_containers(name: str, column: str, text: str, combine: Combine = sum, of_nodes: bool = False) -> LiveMetric:
    return LiveMetric(name, column, True, combine, of_nodes, text)


def _of_pods(name: str, column: str, text: str, combine: Combine) -> LiveMetric:
    return LiveMetric(name, column, False, combine, True, text)


LIVE_METRICS = (
    _of_containers("cpu_usage", "cpu", "CPU time per second, in cores", of_nodes=True),
    _of_containers("memory_working_set", "memory", "memory in use without inactive page cache, in bytes", of_nodes=True),
    _of_containers("swap", "swap", "swap in use, in bytes", of_nodes=True),
    # Ratios and shares of time cannot be added up: the highest one counts.
    _of_containers("cpu_throttled_ratio", "cpu_throttled_ratio", "share of CFS periods that were throttled, 0 to 1", max),
    _of_pods("cpu_pressure", "cpu_pressure", "share of time in which a task waited for CPU (PSI some), 0 to 1", max),
    _of_pods("memory_pressure", "memory_pressure", "share of time in which a task waited for memory (PSI some), 0 to 1", max),
    _of_pods("io_pressure", "io_pressure", "share of time in which a task waited for a disk (PSI some), 0 to 1", max),
    _of_containers("oom_kills_per_second", "oom_kills", "processes ended by the OOM killer, per second"),
    _of_pods("network_receive_bytes_per_second", "receive_bytes", "bytes received, per second", sum),
    _of_pods("network_transmit_bytes_per_second", "transmit_bytes", "bytes sent, per second", sum),
    _of_containers("fs_read_bytes_per_second", "fs_read_bytes", "bytes read from disks, per second"),
    _of_containers("fs_write_bytes_per_second", "fs_write_bytes", "bytes written to disks, per second"),
    _of_containers("fs_reads_per_second", "fs_reads", "reads from disks, per second"),
    _of_containers("fs_writes_per_second", "fs_writes", "writes to disks, per second"),
    _of_containers("restarts", "restarts", "restarts of containers since the pod exists"),
)
BY_NAME = {metric.name: metric for metric in LIVE_METRICS}
