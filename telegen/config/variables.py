"""Environment variables: references in the file, `${NAME}`, and overrides: `TELEGEN_KUBE_METRICS__LISTEN_ADDRESS` sets
kube_metrics.listen_address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from telegen.config.errors import ConfigError

PREFIX = "TELEGEN_"

_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")

IsText = Callable[[str], bool]
"""Predicate by path: True if the setting is a string."""


def expand(value: Any, environ: Mapping[str, str], is_text: IsText, path: str = "") -> Any:
    """Replace `${NAME}`, `${NAME:-default}` and `$$` in every string of YAML-like data.

    Raises:
        ConfigError: a variable is not set or empty and has no default, or is not valid YAML for a setting that is no string.
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
            # To some settings an empty value means "everything": every agent of a StatefulSet would take the whole cluster.
            state = "is empty" if name in environ else "is not set"
            raise ConfigError(
                f"{path}: the variable {name} {state}; set it, or write ${{{name}:-default}}, or ${{{name}:-}} for an empty value"
            )
        return environ.get(name) or default or ""

    expanded = _VARIABLE.sub(replace, value)
    # `port: ${PORT}` means the number, as if the number was written there.
    return _value(expanded, path, is_text) if _VARIABLE.fullmatch(value) and expanded else expanded


def override(data: dict[str, Any], environ: Mapping[str, str], is_text: IsText) -> None:
    """Override settings by the variables named after them.

    Args:
        data: plain YAML-like data, changed in place.

    Raises:
        ConfigError: a value is not valid YAML, or a key that must be a block of settings has a value.
    """
    for name, path in _overrides(environ).items():
        _override(data, path, name, environ[name], is_text)


def variables_that_set(path: str, environ: Mapping[str, str]) -> list[str]:
    """Return the variables that set this key or one above it."""
    keys = path.partition("[")[0].split(".")
    return [name for name, target in _overrides(environ).items() if keys[: len(target)] == target]


def _overrides(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the keys on the path of a setting by the name of the variable that overrides it."""
    names = sorted(name for name in environ if name.startswith(PREFIX) and "__" in name)
    return {name: name[len(PREFIX) :].lower().split("__") for name in names}


def _override(data: dict[str, Any], path: list[str], name: str, value: str, is_text: IsText) -> None:
    *parents, last = path
    block = data
    for at, parent in enumerate(parents):
        # YAML reads a block without settings as null.
        inner = block[parent] = {} if block.get(parent) is None else block[parent]
        if not isinstance(inner, dict):
            raise ConfigError(f"{'.'.join(parents[: at + 1])}: {name} needs a block of settings here, not a value")
        block = inner
    block[last] = _value(value, ".".join(path), is_text, f"{name}: ")


def _value(text: str, path: str, is_text: IsText, origin: str = "") -> Any:
    """Parse a variable's text as YAML. For a string setting, keep the text where YAML reads another type: a namespace may be
    called 2026 and a node 10e3."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        if is_text(path):
            return text
        raise ConfigError(f"{path}: {origin}{' '.join(str(error).split())}") from error
    return value if isinstance(value, str) or not is_text(path) else text
