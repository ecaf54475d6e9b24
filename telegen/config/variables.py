"""Variables of the environment that override settings: `TELEGEN_KUBE_METRICS__LISTEN_ADDRESS` is
kube_metrics.listen_address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from telegen.config.errors import ConfigError

PREFIX = "TELEGEN_"


def override(data: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Put the values of all such variables where their names say.

    Args:
        data: plain YAML-like data, changed in place.

    Raises:
        ConfigError: a value is no YAML, or there is a value where the name needs a block.
    """
    for name, place in _places(environ).items():
        _override(data, place, name, environ[name])


def from_environment(where: str, environ: Mapping[str, str]) -> str:
    """` (set by NAME)` when a variable has set the key at this path or what lies below it, else nothing."""
    key = where.partition("[")[0].split(".")
    names = [name for name, place in _places(environ).items() if key[: len(place)] == place]
    return f" (set by {' and '.join(names)})" if names else ""


def _places(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """The path that each such variable stands for."""
    names = sorted(name for name in environ if name.startswith(PREFIX) and "__" in name)
    return {name: name[len(PREFIX) :].lower().split("__") for name in names}


def _override(data: dict[str, Any], path: list[str], name: str, value: str) -> None:
    *parents, last = path
    place = data
    for at, parent in enumerate(parents):
        # An empty block of YAML is null.
        inner = place[parent] = {} if place.get(parent) is None else place[parent]
        if not isinstance(inner, dict):
            raise ConfigError(f"{'.'.join(parents[: at + 1])}: {name} needs a block of settings there")
        place = inner
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{'.'.join(path)}: {name}: {' '.join(str(error).split())}") from error
