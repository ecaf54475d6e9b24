"""Variables of the environment: those that a file names as `${NAME}`, and those that override settings:
`TELEGEN_KUBE_METRICS__LISTEN_ADDRESS` is kube_metrics.listen_address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from telegen.config.errors import ConfigError

PREFIX = "TELEGEN_"

_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")

IsText = Callable[[str], bool]
"""Whether the setting at a path is a string."""


def expand(value: Any, environ: Mapping[str, str], is_text: IsText, path: str = "") -> Any:
    """Replace `${NAME}`, `${NAME:-default}` and `$$` in every string of YAML-like data.

    Raises:
        ConfigError: a variable is not set or empty and has no default, or is no YAML where more than a string is meant.
    """
    if isinstance(value, dict):
        return {key: expand(inner, environ, is_text, f"{path}.{key}" if path else str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [expand(inner, environ, is_text, f"{path}[{at}]") for at, inner in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value

    def replace(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        if name is None:
            return "$"
        if not environ.get(name) and default is None:
            # An empty one may mean "everything" to a key: every agent of a StatefulSet would take the whole cluster.
            how = "is empty" if name in environ else "is not set"
            raise ConfigError(f"{path}: the variable {name} {how}; ${{{name}:-default}} gives it a default, ${{{name}:-}} none")
        return environ.get(name) or default or ""

    expanded = _VARIABLE.sub(replace, value)
    # `port: ${PORT}` means the number, as if it stood there.
    return _value(expanded, path, is_text) if _VARIABLE.fullmatch(value) and expanded else expanded


def override(data: dict[str, Any], environ: Mapping[str, str], is_text: IsText) -> None:
    """Put the values of all variables that override settings where their names say.

    Args:
        data: plain YAML-like data, changed in place.

    Raises:
        ConfigError: a value is no YAML, or there is a value where the name needs a block.
    """
    for name, place in _places(environ).items():
        _override(data, place, name, environ[name], is_text)


def from_environment(where: str, environ: Mapping[str, str]) -> str:
    """` (set by NAME)` when a variable has set the key at this path or what lies below it, else nothing."""
    key = where.partition("[")[0].split(".")
    names = [name for name, place in _places(environ).items() if key[: len(place)] == place]
    return f" (set by {' and '.join(names)})" if names else ""


def _places(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """The path that each such variable stands for."""
    names = sorted(name for name in environ if name.startswith(PREFIX) and "__" in name)
    return {name: name[len(PREFIX) :].lower().split("__") for name in names}


def _override(data: dict[str, Any], path: list[str], name: str, value: str, is_text: IsText) -> None:
    *parents, last = path
    place = data
    for at, parent in enumerate(parents):
        # An empty block of YAML is null.
        inner = place[parent] = {} if place.get(parent) is None else place[parent]
        if not isinstance(inner, dict):
            raise ConfigError(f"{'.'.join(parents[: at + 1])}: {name} needs a block of settings there")
        place = inner
    place[last] = _value(value, ".".join(path), is_text, f"{name}: ")


def _value(text: str, path: str, is_text: IsText, origin: str = "") -> Any:
    """What a variable's text means as YAML; where a string is meant, the text itself if YAML makes something else of it: a namespace may be
    called 2026 and a node 10e3."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        if is_text(path):
            return text
        raise ConfigError(f"{path}: {origin}{' '.join(str(error).split())}") from error
    return value if isinstance(value, str) or not is_text(path) else text
