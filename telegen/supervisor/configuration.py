"""Loading with every check: the only place that joins the settings with the tables they name."""

from __future__ import annotations

from telegen.cadvisor.registry import enabled_groups
from telegen.config import Config, ConfigSource, not_effective
from telegen.kubestate.checks import check_selection, notes


def load_checked(source: ConfigSource) -> Config:
    """Load a configuration, and check that the resources, families and groups of metrics that it names exist.

    For the main thread only: the check of expressions uses a timer signal.

    Raises:
        ConfigError: one line per problem, each beginning with the path of the setting.
    """
    config = source.load()
    check_selection(config)
    enabled_groups(config.kube_metrics.cadvisor)
    return config


def print_check(config: Config) -> None:
    """Print the remarks on a valid configuration: settings without effect, and limits of its selection."""
    for path in not_effective(config):
        print(f"{path}: not effective yet")
    for line in notes(config):
        print(line)
    print("the configuration is valid")
