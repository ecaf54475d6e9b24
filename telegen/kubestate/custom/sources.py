"""Configurations of custom resources in force, from the settings to entries; the supervisor hands them to workers as one document."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import msgspec
import yaml

from telegen.config import Config, ConfigError
from telegen.config.custom_resources import MAX_BYTES, SETTING, configured_text, is_used
from telegen.config.document import first_node, read_regular
from telegen.kubestate.custom.model import Entry
from telegen.kubestate.custom.nodes import MAX_VALUES
from telegen.kubestate.custom.reading import Read, read_entries
from telegen.kubestate.health.scope import wrong_groups
from telegen.kubestate.packs.registry import AUTO, PACKS


class CustomTables(msgspec.Struct, frozen=True):
    """Configuration of custom resources, checked.

    Attributes:
        entries: of the file or the setting.
        packs: names of packs.
    """

    entries: tuple[Entry, ...] = ()
    packs: tuple[str, ...] = ()

    def encode(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> CustomTables:
        """Decode; nothing for no data."""
        return msgspec.json.decode(data, type=cls) if data else cls()


def load_custom(config: Config) -> CustomTables:
    """Read the configuration that the settings name.

    Raises:
        ConfigError: one line per problem, each beginning with the path of the setting.
    """
    return CustomTables(_read(config).entries, config.kube_metrics.kube_state.custom_resource_state.packs)


def _read(config: Config) -> Read:
    settings = config.kube_metrics.kube_state.custom_resource_state
    name, text = configured_text(settings)
    try:
        return _read_text(text, name) if text else Read((), ())
    except ConfigError as error:
        key = "config" if settings.config else "config_file"
        raise ConfigError("\n".join(f"{SETTING}.{key}: {line}" for line in str(error).splitlines())) from error


@lru_cache(maxsize=1)
def _read_text(text: str, name: str) -> Read:
    # A start reads the text for the problems, for the warnings and for the workers: 2 s each for 500 kB.
    return read_entries(text.encode(), name)


def forget_text() -> None:
    """Free the last configuration that was read: the workers have it."""
    _read_text.cache_clear()


def custom_problems(config: Config) -> Iterator[str]:
    """Yield one line per problem of the settings and of the configuration that they name."""
    settings = config.kube_metrics.kube_state.custom_resource_state
    if settings.only and not is_used(settings):
        yield f"{SETTING}.only: nothing else is configured; set config, config_file, packs or health"
    for name in settings.packs:
        if name != AUTO and name not in PACKS:
            yield f"{SETTING}.packs: unknown pack {name[:100]}; the packs are {', '.join([AUTO, *PACKS])}"
    yield from (f"{SETTING}.health: {line}" for line in wrong_groups(settings.health))
    try:
        _read(config)
    except ConfigError as error:
        yield from str(error).splitlines()


def custom_warnings(config: Config) -> Iterator[str]:
    """Yield one line per warning about a configuration without problems."""
    yield from _read(config).warnings


def is_custom_configuration(path: str) -> bool:
    """Return True for a file of the format of kube-state-metrics, False for one that is none or cannot be read."""
    try:
        node = first_node(read_regular(path, MAX_BYTES), path, MAX_VALUES)
    except (OSError, ValueError, ConfigError):
        return False
    keys = {key.value: value.value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
    return keys.get("kind") in ("CustomResourceStateMetrics", "ConfigMap") or bool({"spec", "resources"}.intersection(keys))
