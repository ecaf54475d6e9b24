"""Loading with every check: the only place that joins the settings with the tables they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from telegen.cadvisor.registry import NAMES, collectors_of, enabled_groups
from telegen.config import Config, ConfigError, ConfigSource, not_effective
from telegen.config.load import Check
from telegen.config.model import CustomResourceState
from telegen.config.patterns import slow_patterns
from telegen.kubestate.checks import notes, selection_problems
from telegen.otlp.settings import check_push
from telegen.supervisor.rules_file import prometheus_problems, rules_file_problems
from telegen.supervisor.web_files import web_file_problems

if TYPE_CHECKING:
    from telegen.kubestate.custom.sources import CustomReader


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
    custom = CustomConfiguration()
    config = source.load(checks(custom))
    check_push(config, source.environ)
    return Loaded(config, *custom.load(config))


def load_checked(source: ConfigSource) -> Config:
    """Load the settings alone; see `load_all`."""
    return load_all(source).config


def checks(custom: CustomConfiguration) -> tuple[Check, ...]:
    """Return the checks of the names in a configuration."""
    return selection_problems, _container_problems, custom.problems, web_file_problems, rules_file_problems, prometheus_problems


class CustomConfiguration:
    """Custom resources of a configuration.

    PERF: their code is imported only for a configuration that names some: it is 1.4 MB, and tables of packs are 2.3 MB more.
    """

    def __init__(self) -> None:
        self._reader: CustomReader | None = None

    def problems(self, config: Config) -> Iterator[str]:
        """Yield one line per problem of the settings and of the files that they name."""
        if _custom_settings(config) != CustomResourceState():
            from telegen.kubestate.custom.sources import CustomReader, custom_problems

            self._reader = CustomReader()
            yield from custom_problems(config, self._reader)

    def load(self, config: Config) -> tuple[bytes, tuple[str, ...]]:
        """Return the encoded `CustomTables` of a configuration without problems, and warnings."""
        if self._reader is None:
            return b"", ()
        from telegen.kubestate.custom.sources import built_in_names, load_custom

        read = self._reader.read(config)
        return load_custom(config, self._reader).encode(), (*read.warnings, *built_in_names(read))


def _custom_settings(config: Config) -> CustomResourceState:
    return config.kube_metrics.kube_state.custom_resource_state


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
