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


class Sources(msgspec.Struct, frozen=True):
    """Configuration that the settings select, as text.

    Attributes:
        name: name of the file or of the setting.
        text: the configuration; "" for none.
    """

    name: str = ""
    text: str = ""

    def encode(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Sources:
        """Decode; nothing for no data."""
        return msgspec.json.decode(data, type=cls) if data else cls()

    def read(self) -> Read:
        """Read the entries.

        Raises:
            ConfigError: one line per problem.
        """
        return read_entries(self.text.encode(), self.name) if self.text else Read((), ())

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.read().entries


def load_sources(config: Config) -> Sources:
    """Read the configuration that the settings name.

    Raises:
        ConfigError: the file cannot be read; one line with the path of the setting.
    """
    return Sources(*configured_text(config.kube_metrics.kube_state.custom_resource_state))


def custom_problems(config: Config) -> Iterator[str]:
    """Yield one line per problem of the settings and of the configuration that they name."""
    settings = config.kube_metrics.kube_state.custom_resource_state
    if settings.only and not is_used(settings):
        yield f"{SETTING}.only: nothing else is configured; set config or config_file"
    key = "config" if settings.config else "config_file"
    try:
        load_sources(config).read()
    except ConfigError as error:
        yield from (line if line.startswith(SETTING) else f"{SETTING}.{key}: {line}" for line in str(error).splitlines())


def custom_warnings(config: Config) -> Iterator[str]:
    """Yield one line per warning about a configuration without problems."""
    yield from load_sources(config).read().warnings


def is_custom_configuration(path: str) -> bool:
    """Return True for a file of the format of kube-state-metrics, False for one that is none or cannot be read."""
    try:
        node = first_node(read_regular(path, MAX_BYTES), path, MAX_VALUES)
    except (OSError, ValueError, ConfigError):
        return False
    keys = {key.value: value.value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
    return keys.get("kind") in ("CustomResourceStateMetrics", "ConfigMap") or bool({"spec", "resources"}.intersection(keys))
