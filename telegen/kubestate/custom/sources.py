"""Configurations of custom resources in force, from the settings to entries; the supervisor hands them to workers as one document."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import yaml

from telegen.config import Config, ConfigError
from telegen.config.custom_resources import MAX_BYTES, SETTING, configured_text, is_used
from telegen.config.document import first_node, read_regular
from telegen.kubestate.custom.model import Entry
from telegen.kubestate.custom.nodes import MAX_VALUES
from telegen.kubestate.custom.reading import Read, read_entries
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


class CustomReader:
    """Reader of the configuration that settings name. It keeps what it has read last: a start needs it for the problems, for the warnings
    and for the workers, and 500 kB take 2 s."""

    def __init__(self) -> None:
        self._last: tuple[str, str, Read] = ("", "", Read((), ()))

    def read(self, config: Config) -> Read:
        """Return the entries and the warnings; nothing for no configuration.

        Raises:
            ConfigError: one line per problem, each beginning with the path of the setting.
        """
        settings = config.kube_metrics.kube_state.custom_resource_state
        name, text = configured_text(settings)
        if self._last[:2] != (name, text):
            try:
                self._last = (name, text, read_entries(text.encode(), name) if text else Read((), ()))
            except ConfigError as error:
                key = "config" if settings.config else "config_file"
                raise ConfigError("\n".join(f"{SETTING}.{key}: {line}" for line in str(error).splitlines())) from error
        return self._last[2]


def load_custom(config: Config, reader: CustomReader) -> CustomTables:
    """Read the configuration that the settings name.

    Raises:
        ConfigError: one line per problem, each beginning with the path of the setting.
    """
    return CustomTables(reader.read(config).entries, config.kube_metrics.kube_state.custom_resource_state.packs)


def custom_problems(config: Config, reader: CustomReader) -> Iterator[str]:
    """Yield one line per problem of the settings and of the configuration that they name."""
    settings = config.kube_metrics.kube_state.custom_resource_state
    if settings.only and not is_used(settings):
        yield f"{SETTING}.only: nothing else is configured; set config, config_file or packs"
    for name in settings.packs:
        if name != AUTO and name not in PACKS:
            yield f"{SETTING}.packs: unknown pack {name[:100]}; the packs are {', '.join([AUTO, *PACKS])}"
    try:
        reader.read(config)
    except ConfigError as error:
        yield from str(error).splitlines()


def is_custom_configuration(path: str) -> bool:
    """Return True for a file of the format of kube-state-metrics, False for one that is none or cannot be read."""
    try:
        node = first_node(read_regular(path, MAX_BYTES), path, MAX_VALUES)
    except (OSError, ValueError, ConfigError):
        return False
    keys = {key.value: value.value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
    return keys.get("kind") in ("CustomResourceStateMetrics", "ConfigMap") or bool({"spec", "resources"}.intersection(keys))
