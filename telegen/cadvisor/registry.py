"""List of all collectors, and the groups of metrics that the configuration enables."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

from telegen.cadvisor.collector import AnyCollector
from telegen.config import ConfigError
from telegen.config.model import Cadvisor
from telegen.config.patterns import compile_pattern

MODULES = (
    "cpu",
    "memory",
    "oom",
    "disk_io",
    "diskstats",
    "filesystems",
    "network",
    "tcp",
    "udp",
    "advtcp",
    "pids",
    "processes",
    "sched",
    "referenced_memory",
    "pressure",
    "hugetlb",
    "numa",
    "cpuset",
    "spec",
    "start_time",
    "last_seen",
    "health",
    "machine",
    "topology",
    "self_metrics",
)
"""Modules of `collectors`, in the order of the page. Each has a COLLECTOR, or `make(settings, groups)` that returns one."""


def _collectors(settings: Cadvisor, groups: frozenset[str]) -> tuple[AnyCollector, ...]:
    """Every collector, whether its group is enabled or not."""
    # Imported by name, so that a new collector is one line here.
    modules = [import_module(f"telegen.cadvisor.collectors.{name}") for name in MODULES]
    return tuple(module.make(settings, groups) if hasattr(module, "make") else module.COLLECTOR for module in modules)


_ALL = _collectors(Cadvisor(), frozenset())

OPTIONAL = frozenset(("percpu", *[collector.group for collector in _ALL if collector.opt_in]))
"""Groups that are enabled by name only, as in the kubelet. `percpu` changes the output of the group `cpu`."""

NAMES = OPTIONAL | {"cpuLoad", "app", *[collector.group for collector in _ALL if collector.group]}
"""Every group. The groups cpuLoad and app are accepted for compatibility with cAdvisor and have no families."""

DEFAULT = NAMES - OPTIONAL
"""Groups that are enabled without configuration, as in the kubelet."""


def enabled_groups(settings: Cadvisor) -> frozenset[str]:
    """Groups that the settings enable.

    `disabled_metrics` has priority over everything else, the `*_enabled` switches over `enabled_metrics`.

    Raises:
        ConfigError: a name is not a group.
    """
    for key, names in (("enabled_metrics", settings.enabled_metrics), ("disabled_metrics", settings.disabled_metrics)):
        unknown = sorted(set(names) - NAMES)
        if unknown:
            raise ConfigError(
                f"kube_metrics.cadvisor.{key}: unknown group of metrics: {', '.join(unknown)}; "
                f"the groups are {', '.join(sorted(NAMES))}"
            )
    enabled = DEFAULT | set(settings.enabled_metrics)
    enabled |= {"percpu"} if settings.per_cpu_enabled else set()
    off = {name for name, on in (("diskIO", settings.disk_io_enabled), ("network", settings.network_enabled)) if not on}
    return frozenset(enabled - off - set(settings.disabled_metrics))


def enabled_collectors(settings: Cadvisor) -> tuple[AnyCollector, ...]:
    """Collectors of the enabled groups with the selected families, in the order of the page.

    Raises:
        ConfigError: see `enabled_groups`.
    """
    collectors = (_selected(one, settings) for one in collectors_of(enabled_groups(settings), settings))
    return tuple(one for one in collectors if one.families)


def _selected(collector: AnyCollector, settings: Cadvisor) -> AnyCollector:
    """Return the collector with the families that `metric_allowlist` or `metric_denylist` keeps."""
    allow, deny = ([compile_pattern(text) for text in texts] for texts in (settings.metric_allowlist, settings.metric_denylist))
    if not allow and not deny:
        return collector

    def is_kept(name: str) -> bool:
        if not name.startswith(("container_", "machine_")):
            return True
        return not any(one.search(name) for one in deny) and (not allow or any(one.search(name) for one in allow))

    return replace(collector, families=tuple(family for family in collector.families if is_kept(family.name)))


def collectors_of(groups: frozenset[str], settings: Cadvisor = Cadvisor()) -> tuple[AnyCollector, ...]:
    """Collectors of these groups, in the order of the page."""
    return tuple(collector for collector in _collectors(settings, groups) if not collector.group or collector.group in groups)
