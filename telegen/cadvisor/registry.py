"""Which sources are read: cAdvisor's groups of metrics, and the switches of the configuration."""

from __future__ import annotations

from telegen.cadvisor.collector import Source
from telegen.cadvisor.collectors import _sockets as sockets
from telegen.cadvisor.collectors import (
    cpu,
    cpuset,
    disk_io,
    diskstats,
    filesystems,
    hugetlb,
    machine,
    memory,
    network,
    numa,
    oom,
    pids,
    pressure,
    processes,
    referenced_memory,
    sched,
    self_metrics,
    spec,
)
from telegen.cadvisor.collectors import start_time as times
from telegen.cadvisor.collectors import topology
from telegen.cadvisor.collectors._layers import Layers
from telegen.config import ConfigError
from telegen.config.model import Cadvisor

DEFAULT = frozenset(
    ("cpu", "memory", "disk", "diskIO", "network", "process", "oom_event", "pressure", "cpuLoad", "app", "machine")
)
"""On without being asked for: what the kubelet shows."""

OPTIONAL = frozenset(
    ("percpu", "sched", "tcp", "udp", "advtcp", "hugetlb", "memory_numa", "cpuset", "referenced_memory", "cpu_topology")
)
"""Only on when asked for, as in the kubelet."""

NAMES = DEFAULT | OPTIONAL


def groups(settings: Cadvisor) -> frozenset[str]:
    """The groups that are on. `disabled_metrics` wins over everything, the `_enabled` switches over `enabled_metrics`.

    Raises:
        ConfigError: a name is no group.
    """
    for key, names in (("enabled_metrics", settings.enabled_metrics), ("disabled_metrics", settings.disabled_metrics)):
        unknown = sorted(set(names) - NAMES)
        if unknown:
            raise ConfigError(
                f"kube_metrics.cadvisor.{key}: no group of metrics is called {', '.join(unknown)}; "
                f"there are {', '.join(sorted(NAMES))}"
            )
    wanted = DEFAULT | set(settings.enabled_metrics)
    wanted |= {"percpu"} if settings.per_cpu_enabled else set()
    off = {name for name, on in (("diskIO", settings.disk_io_enabled), ("network", settings.network_enabled)) if not on}
    return frozenset(wanted - off - set(settings.disabled_metrics))


def sources(settings: Cadvisor) -> tuple[Source, ...]:
    """The sources of the groups that are on, in the order of the page.

    Raises:
        ConfigError: see `groups`.
    """
    return sources_of(groups(settings), settings)


def sources_of(on: frozenset[str], settings: Cadvisor = Cadvisor()) -> tuple[Source, ...]:
    """The sources of some groups, in the order of the page."""
    known = (
        cpu.make("percpu" in on),
        memory.SOURCE,
        oom.SOURCE,
        disk_io.SOURCE,
        diskstats.SOURCE,
        filesystems.make(settings.housekeeping_interval, Layers(settings.disk_usage_interval)),
        network.SOURCE,
        sockets.TCP,
        sockets.UDP,
        sockets.ADVANCED,
        pids.SOURCE,
        processes.SOURCE,
        sched.SOURCE,
        referenced_memory.SOURCE,
        pressure.make("diskIO" in on),
        hugetlb.SOURCE,
        numa.SOURCE,
        cpuset.SOURCE,
        spec.SOURCE,
        times.START,
        times.LAST_SEEN,
        machine.make(settings.housekeeping_interval),
        topology.make(settings.housekeeping_interval),
        self_metrics.SOURCE,
    )
    return tuple(source for source in known if not source.group or source.group in on)
