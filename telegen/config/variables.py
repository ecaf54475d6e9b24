"""Environment variables: references in the file, `${NAME}`, and overrides: `TELEGEN_KUBE_METRICS__LISTEN_ADDRESS` sets
kube_metrics.listen_address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from telegen.config.document import parse
from telegen.config.errors import INVALID, ConfigError
from telegen.config.settings import settings

PREFIX = "TELEGEN_"

_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")

_SERVICE = re.compile(PREFIX + r"(SERVICE_.*|PORT(_.*)?|.+_SERVICE_(HOST|PORT)(_.*)?|.+_PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)")
"""Variables of a Service."""

Report = Callable[[str, str], None]
"""Function of (path, message)."""

IsText = Callable[[str], bool]
"""Predicate by path: True if the setting is a string."""


def expand(value: Any, environ: Mapping[str, str], is_text: IsText, report: Report, path: str = "") -> Any:
    """Replace `${NAME}`, `${NAME:-default}` and `$$` in every string of YAML-like data.

    Args:
        report: called for each variable that is not set or empty and has no default, or is not valid YAML for a setting that is
            no string. The setting becomes `INVALID`.
    """
    if isinstance(value, dict):
        return {key: expand(inner, environ, is_text, report, f"{path}.{key}" if path else str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [expand(inner, environ, is_text, report, f"{path}[{at}]") for at, inner in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value
    try:
        expanded = _VARIABLE.sub(lambda found: _replacement(found, environ), value)
        # `port: ${PORT}` means the number, as if the number was written there.
        return _value(expanded, path, is_text) if _VARIABLE.fullmatch(value) and expanded else expanded
    except ValueError as error:
        report(path, str(error))
        return INVALID


def _replacement(found: re.Match[str], environ: Mapping[str, str]) -> str:
    """Return the text for one reference. Raises ValueError."""
    name, default = found[1], found[2]
    if name is None:
        return "$"
    if not environ.get(name) and default is None:
        # To some settings an empty value means "everything": every agent of a StatefulSet would take the whole cluster.
        state = "is empty" if name in environ else "is not set"
        raise ValueError(f"the variable {name} {state}; set it, or write ${{{name}:-default}}, or ${{{name}:-}} for an empty value")
    return environ.get(name) or default or ""


def override(data: dict[str, Any], environ: Mapping[str, str], is_text: IsText, report: Report) -> None:
    """Override settings by the variables named after them.

    Args:
        data: plain YAML-like data, changed in place.
        report: called for each value that is not valid YAML, each value of a key that must be a block of settings, and each
            variable that names no setting.
    """
    for name, path in _overrides(environ).items():
        try:
            _override(data, path, name, environ[name], is_text)
        except ConfigError as error:
            report(*str(error).split(": ", 1))
        except ValueError as error:
            report(".".join(path), str(error))
    for name in _ours(environ):
        if "__" not in name:
            key = name[len(PREFIX) :].lower()
            report(name, f"the variable names no setting; TELEGEN_WEB__WORKERS, for example, sets web.workers{_advice(key)}")


def _advice(key: str) -> str:
    """Return the variable for a setting that is named without its blocks: listen_address."""
    paths = [path for path, _, _ in settings() if path.replace(".", "_") == key or path.rpartition(".")[2] == key]
    return f"; did you mean {' or '.join(map(variable_of, paths))}?" if 0 < len(paths) <= 3 else ""


def variable_of(path: str) -> str:
    """Return the variable that sets a setting."""
    return PREFIX + path.upper().replace(".", "__")


def service_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that Kubernetes sets in pods for Services named telegen or telegen-NAME; they are ignored."""
    return sorted(name for name in environ if name.startswith(PREFIX) and _SERVICE.fullmatch(name))


def _ours(environ: Mapping[str, str]) -> list[str]:
    return sorted(name for name in environ if name.startswith(PREFIX) and not _SERVICE.fullmatch(name))


def variables_that_set(path: str, environ: Mapping[str, str]) -> list[str]:
    """Return the variables that set this key or one above it."""
    keys = path.partition("[")[0].split(".")
    return [name for name, target in _overrides(environ).items() if keys[: len(target)] == target]


def _overrides(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the keys on the path of a setting by the name of the variable that overrides it."""
    return {name: name[len(PREFIX) :].lower().split("__") for name in _ours(environ) if "__" in name}


def _override(data: dict[str, Any], path: list[str], name: str, value: str, is_text: IsText) -> None:
    *parents, last = path
    block = data
    for at, parent in enumerate(parents):
        # YAML reads a block without settings as null.
        inner = block[parent] = {} if block.get(parent) is None else block[parent]
        if not isinstance(inner, dict):
            block[parent] = INVALID
            raise ConfigError(f"{'.'.join(parents[: at + 1])}: {name} needs a block of settings here, not a value")
        block = inner
    block[last] = _value(value, ".".join(path), is_text, f"{name}: ")


def _value(text: str, path: str, is_text: IsText, origin: str = "") -> Any:
    """Parse a variable's text as YAML. For a string setting, keep the text where YAML reads another type: a namespace may be
    called 2026 and a node 10e3."""
    try:
        value = parse(text)
    except ConfigError as error:
        if is_text(path):
            return text
        raise ValueError(f"{origin}{error}") from error
    return value if isinstance(value, str) or not is_text(path) else text
