"""Configurations of custom resources in force, from the settings to entries; the supervisor hands them to workers as one document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import yaml

from telegen.config import Config, ConfigError
from telegen.config.custom_resources import MAX_BYTES, SETTING, configured_text, further_files, is_used, read_text
from telegen.config.document import first_node, read_regular
from telegen.config.model import CustomResourceState
from telegen.kubestate.custom.expressions.conflicts import conflicts
from telegen.kubestate.custom.expressions.model import MetricEntry
from telegen.kubestate.custom.expressions.reading import read_metrics
from telegen.kubestate.custom.kinds import Configured
from telegen.kubestate.custom.model import Entry
from telegen.kubestate.custom.nodes import MAX_VALUES
from telegen.kubestate.custom.reading import read_entries
from telegen.kubestate.health.scope import Scope, wrong_groups
from telegen.kubestate.packs.registry import AUTO, PACKS, chosen_packs
from telegen.kubestate.registry import RESOURCES

ENDINGS = (".yaml", ".yml", ".json")
"""Ends of the names of files in a ConfigMap."""


class CustomTables(msgspec.Struct, frozen=True):
    """Configuration of custom resources, checked.

    Attributes:
        entries: of the format of kube-state-metrics.
        packs: names of packs.
        names: variants of the names of families by pack.
        metrics: entries of the format with expressions.
    """

    entries: tuple[Entry, ...] = ()
    packs: tuple[str, ...] = ()
    names: dict[str, str] = msgspec.field(default_factory=dict)
    metrics: tuple[MetricEntry, ...] = ()

    def encode(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> CustomTables:
        """Decode; nothing for no data."""
        return msgspec.json.decode(data, type=cls) if data else cls()

    def configured(self, scope: Scope | None = None) -> Configured:
        """Return these tables, with their packs.

        Args:
            scope: kinds whose health is served.
        """
        return Configured(self.entries, self.metrics, chosen_packs(self.packs, self.names), self.packs, scope)


class CustomEntries(NamedTuple):
    """Entries of configurations, and warnings about them."""

    entries: tuple[Entry, ...] = ()
    metrics: tuple[MetricEntry, ...] = ()
    warnings: tuple[str, ...] = ()


def joined_entries(parts: Iterable[CustomEntries]) -> CustomEntries:
    """Return the entries and the warnings of several configurations."""
    return CustomEntries(*(tuple(chain.from_iterable(lists)) for lists in zip(CustomEntries(), *parts)))


def read_together(reads: Iterable[Callable[[], CustomEntries]]) -> CustomEntries:
    """Read configurations that apply together.

    Args:
        reads: each reads one of them, and may raise ConfigError.

    Raises:
        ConfigError: one line per problem of any of them, and per conflict between them.
    """
    problems: list[str] = []
    found: list[CustomEntries] = []
    for read in reads:
        try:
            found.append(read())
        except ConfigError as error:
            problems += str(error).splitlines()
    joined = joined_entries(found)
    problems += conflicts(joined.metrics)
    if problems:
        raise ConfigError("\n".join(problems))
    return joined


class CustomReader:
    """Reader of the configurations that settings name. It keeps what it has read last: a start needs it for the problems, for the warnings
    and for the workers, and 500 kB take 2 s."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], CustomEntries] = {}

    def read(self, config: Config) -> CustomEntries:
        """Return the entries and the warnings of all configurations; nothing for none.

        Raises:
            ConfigError: one line per problem, each beginning with the path of the setting.
        """
        problems: list[str] = []
        found: dict[tuple[str, str], CustomEntries] = {}
        for key, name, text in _sources(config.kube_metrics.kube_state.custom_resource_state):
            try:
                found[name, text] = self._last.get((name, text)) or read_custom(text.encode(), name)
            except ConfigError as error:
                problems += [f"{SETTING}.{key}: {line}" for line in str(error).splitlines()]
        joined = joined_entries(found.values())
        problems += [f"{SETTING}: {problem}" for problem in conflicts(joined.metrics)]
        if problems:
            raise ConfigError("\n".join(problems))
        self._last = found
        return joined


def read_custom(text: bytes, source: str) -> CustomEntries:
    """Read a configuration of either format: that with expressions has `metrics` at its top.

    Args:
        source: name of the file or the setting, for messages.

    Raises:
        ConfigError: one line per problem, with file, line, path, cause and cure.
    """
    document = first_node(text, source, MAX_VALUES)
    files = _files_of_config_map(document)
    if any("metrics" in _keys(first_node(file.encode("utf-8", "surrogatepass"), name, MAX_VALUES)) for name, file in files.items()):
        parts = [read_custom(file.encode("utf-8", "surrogatepass"), f"{source}/{name}") for name, file in files.items()]
        return joined_entries(parts)
    if "metrics" in _keys(document):
        with_expressions = read_metrics(text, source, document)
        return CustomEntries((), with_expressions.entries, with_expressions.warnings)
    read = read_entries(text, source, document)
    return CustomEntries(read.entries, (), read.warnings)


def _files_of_config_map(document: yaml.Node | None) -> dict[str, str]:
    """Return the text of each file of a ConfigMap; of another document none. Lines of messages are those of the file."""
    keys = _keys(document)
    pairs = keys.get("data") if keys.get("kind") == "ConfigMap" else None
    mapped = [pair for pair in pairs if isinstance(pair, tuple)] if isinstance(pairs, list) else []
    texts = {key.value: value.value for key, value in mapped if isinstance(value, yaml.ScalarNode)}
    return {name: text for name, text in texts.items() if name.endswith(ENDINGS)}


def _sources(settings: CustomResourceState) -> Iterator[tuple[str, str, str]]:
    """Yield the key of the setting, the name of the source, and the text of each configuration.

    Raises:
        ConfigError: a file cannot be read.
    """
    name, text = configured_text(settings)
    if text:
        yield "config" if settings.config else "config_file", name, text
    if settings.metrics:
        yield "metrics", f"{SETTING}.metrics", f"metrics:\n{settings.metrics}"
    for path in further_files(settings):
        yield "files", path, read_text(path, "files")


def load_custom(config: Config, reader: CustomReader) -> CustomTables:
    """Read the configuration that the settings name.

    Raises:
        ConfigError: one line per problem, each beginning with the path of the setting.
    """
    read, settings = reader.read(config), config.kube_metrics.kube_state.custom_resource_state
    return CustomTables(read.entries, settings.packs, dict(settings.names), read.metrics)


def custom_problems(config: Config, reader: CustomReader) -> Iterator[str]:
    """Yield one line per problem of the settings and of the configuration that they name."""
    settings = config.kube_metrics.kube_state.custom_resource_state
    if settings.only and not is_used(settings):
        yield f"{SETTING}.only: nothing else is configured; set config, config_file, metrics, files, config_maps, packs or health"
    for name in settings.packs:
        if name != AUTO and name not in PACKS:
            yield f"{SETTING}.packs: unknown pack {name[:100]}; the packs are {', '.join([AUTO, *PACKS])}"
    yield from _name_problems(settings.names)
    yield from (f"{SETTING}.health: {line}" for line in wrong_groups(settings.health))
    try:
        reader.read(config)
    except ConfigError as error:
        yield from str(error).splitlines()


def built_in_names(read: CustomEntries) -> Iterator[str]:
    """Yield one line per metric that has the name of a built-in family."""
    names = {family.name for resource in RESOURCES.values() for family in resource.families}
    shown = [family.name for entry in read.entries for family in entry.families]
    shown += [name for entry in read.metrics for name in (*(one.name for one in entry.metrics), *(one.name for one in entry.families))]
    for name in dict.fromkeys(name for name in shown if name in names):
        yield f"{name}: also the name of a built-in family, so that sums have the series of both; choose another name or prefix"


def _name_problems(names: Mapping[str, str]) -> Iterator[str]:
    """Yield one line per variant that does not exist."""
    variants = {pack.name: tuple(pack.variants) for pack in PACKS.values() if pack.variants}
    for name, variant in names.items():
        if name not in variants:
            yield f"{SETTING}.names: {name[:100]}: no pack with variants; these have some: {', '.join(variants)}"
        elif variant not in variants[name]:
            yield f"{SETTING}.names.{name}: unknown variant {variant[:100]}; the variants are {', '.join(variants[name])}"


def is_custom_configuration(path: str) -> bool:
    """Return True for a file of one of the two formats, False for one that is none or cannot be read."""
    try:
        keys = _keys(first_node(read_regular(path, MAX_BYTES), path, MAX_VALUES))
    except (OSError, ValueError, ConfigError):
        return False
    return keys.get("kind") in ("CustomResourceStateMetrics", "ConfigMap") or bool({"spec", "resources", "metrics"}.intersection(keys))


def _keys(node: yaml.Node | None) -> dict[str, Any]:
    return {key.value: value.value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
