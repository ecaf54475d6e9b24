"""Loading with every check: the only place that joins the settings with the tables they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from telegen.cadvisor.registry import NAMES, collectors_of, enabled_groups
from telegen.config import Config, ConfigError, ConfigSource, not_effective
from telegen.config.load import Check
from telegen.config.patterns import slow_patterns
from telegen.kubestate.checks import built_in_names, notes, selection_problems
from telegen.kubestate.custom.sources import CustomReader, custom_problems, load_custom
from telegen.otlp.settings import check_push
from telegen.supervisor.rules_file import rules_file_problems
from telegen.supervisor.web_files import web_file_problems


class Loaded(NamedTuple):
    """A valid configuration.

    Attributes:
        custom: that of custom resources, as encoded `CustomTables`.
        warnings: about that of custom resources.
    """

    config: Config
    custom: bytes
    warnings: tuple[str, ...]


def load_all(source: ConfigSource) -> Loaded:
    """Load a configuration with the files of tables that it names, and check that all resources, families and groups in it exist.

    For the main thread only: the check of expressions uses a timer signal.

    Raises:
        ConfigError: one line per problem, each beginning with the path of the setting.
    """
    reader = CustomReader()
    config = source.load(checks(reader))
    check_push(config, source.environ)
    read = reader.read(config)
    return Loaded(config, load_custom(config, reader).encode(), (*read.warnings, *built_in_names(read.metrics)))


def load_checked(source: ConfigSource) -> Config:
    """Load the settings alone; see `load_all`."""
    return load_all(source).config


def checks(reader: CustomReader) -> tuple[Check, ...]:
    """Return the checks of the names in a configuration."""
    return selection_problems, _container_problems, lambda config: custom_problems(config, reader), web_file_problems, rules_file_problems


def _container_problems(config: Config) -> Iterator[str]:
    try:
        enabled_groups(config.kube_metrics.cadvisor)
    except ConfigError as error:
        yield from str(error).splitlines()
        return
    names = [family.name for collector in collectors_of(NAMES) for family in collector.families]
    for key in ("metric_allowlist", "metric_denylist"):
        yield from slow_patterns(getattr(config.kube_metrics.cadvisor, key), names, f"kube_metrics.cadvisor.{key}")


def print_check(loaded: Loaded) -> None:
    """Print the remarks on a valid configuration: settings without effect, and limits of its selection."""
    for path in not_effective(loaded.config):
        print(f"{path}: accepted for compatibility, without effect")
    for line in (*notes(loaded.config), *loaded.warnings):
        print(line)
    print("the configuration is valid")
