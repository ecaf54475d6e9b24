"""Loading of the configuration: file, then environment, then flags, into a validated `Config`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml

from telegen.config.errors import ConfigError
from telegen.config.flags import FlagValues, apply_flags, flags_that_set
from telegen.config.messages import explain
from telegen.config.model import Config
from telegen.config.settings import is_text, value_at
from telegen.config.types import READERS
from telegen.config.validation import problems
from telegen.config.variables import expand, override, variables_that_set

MAX_BYTES = 1 << 20


def load(path: str | None, environ: Mapping[str, str], flags: FlagValues = {}) -> Config:
    """Read and validate the configuration. A flag wins over the environment, which wins over the file.

    Args:
        path: a YAML file; None for the defaults.
        environ: source of `${NAME}` in the file, and of overrides: `TELEGEN_KUBE_METRICS__LISTEN_ADDRESS` sets
            kube_metrics.listen_address.
        flags: flags of kube-state-metrics (see `telegen.config.flags`).

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown, of the wrong type or invalid. One line per problem.
    """
    data = expand(_read(path), environ, is_text) if path else {}
    override(data, environ, is_text)
    apply_flags(data, flags, lambda key: value_at(Config(), key))
    try:
        config = msgspec.convert(data, Config, dec_hook=_read_value)
    except msgspec.ValidationError as error:
        raise ConfigError(_with_origin(explain(str(error)), flags, environ)) from error
    # msgspec stops at the first error; the checks of valid types are independent, so all of them are reported at once.
    lines = [_with_origin(line, flags, environ) for line in problems(config)]
    if lines:
        raise ConfigError("\n".join(lines))
    return config


@dataclass(frozen=True)
class ConfigSource:
    """The inputs of an agent's configuration, kept to read it again on a reload.

    Attributes:
        path, environ, flags: as for `load`.
        optional: a missing file means the defaults.
    """

    path: str | None
    environ: Mapping[str, str]
    flags: FlagValues = field(default_factory=dict)
    optional: bool = False

    def load(self) -> Config:
        """See `load`."""
        missing = self.path is not None and self.optional and not os.path.exists(self.path)
        return load(None if missing else self.path, self.environ, self.flags)


def _with_origin(line: str, flags: FlagValues, environ: Mapping[str, str]) -> str:
    """Append ` (set by NAME)` if a flag or a variable, not the file, set the key that a line begins with."""
    path = line.partition(":")[0]
    origins = flags_that_set(path, flags) or variables_that_set(path, environ)
    return f"{line} (set by {' and '.join(origins)})" if origins else line


class _Loader(yaml.SafeLoader):
    """YAML loader that rejects duplicate keys, of which PyYAML silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Check the keys, then build the mapping.

        Raises:
            yaml.constructor.ConstructorError: a key is repeated.
        """
        # `<<` may be repeated: it merges several mappings.
        keys = Counter(key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge")
        for key, count in keys.items():
            if count > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key}: the key appears {count} times", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _read(path: str) -> dict[str, Any]:
    """Parse a YAML file; an empty one is an empty mapping."""
    try:
        with open(path, "rb") as file:
            # One byte more than allowed shows that the file is too large, without reading all of it.
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        data = yaml.load(content, _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, got {type(data).__name__}")
    return data


def _read_value(kind: type, value: Any) -> Any:
    """Convert a value to a type that YAML does not have: msgspec's `dec_hook`."""
    return READERS[kind](value)
