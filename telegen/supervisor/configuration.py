"""Loading with every check: the only place that joins the settings with the tables they name."""

from __future__ import annotations

from collections.abc import Iterator

from telegen.cadvisor.registry import NAMES, collectors_of, enabled_groups
from telegen.config import Config, ConfigError, ConfigSource, not_effective
from telegen.config.patterns import slow_patterns
from telegen.kubestate.checks import notes, selection_problems
from telegen.kubestate.custom.sources import custom_problems, custom_warnings
from telegen.supervisor.web_files import web_file_problems


def load_checked(source: ConfigSource) -> Config:
    """Load a configuration, and check that the resources, families and groups of metrics that it names exist.

    For the main thread only: the check of expressions uses a timer signal.

    Raises:
        ConfigError: one line per problem, each beginning with the path of the setting.
    """
    return source.load(CHECKS)


def _container_problems(config: Config) -> Iterator[str]:
    try:
        enabled_groups(config.kube_metrics.cadvisor)
    except ConfigError as error:
        yield from str(error).splitlines()
        return
    names = [family.name for collector in collectors_of(NAMES) for family in collector.families]
    for key in ("metric_allowlist", "metric_denylist"):
        yield from slow_patterns(getattr(config.kube_metrics.cadvisor, key), names, f"kube_metrics.cadvisor.{key}")


CHECKS = (selection_problems, _container_problems, custom_problems, web_file_problems)
"""Checks of the names in a configuration."""


def print_check(config: Config) -> None:
    """Print the remarks on a valid configuration: settings without effect, and limits of its selection."""
    for path in not_effective(config):
        print(f"{path}: accepted for compatibility, without effect")
    for line in (*notes(config), *custom_warnings(config)):
        print(line)
    print("the configuration is valid")
