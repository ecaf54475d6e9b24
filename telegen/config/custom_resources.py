"""Text of the configuration of custom resources: of the setting itself, or of the file that it names."""

from __future__ import annotations

import os

from telegen.config.document import read_regular
from telegen.config.errors import ConfigError
from telegen.config.model import CustomResourceState

SETTING = "kube_metrics.kube_state.custom_resource_state"
MAX_BYTES = 4 << 20
"""Maximum of bytes of a configuration."""
MAX_FILES = 200
"""Maximum of files that `files` names, those of its folders included."""


def is_used(settings: CustomResourceState) -> bool:
    """Return True if custom resources are to be watched."""
    has_tables = settings.config or settings.config_file or settings.metrics or settings.files or settings.packs
    return bool(has_tables or settings.config_maps.selector) or settings.health not in ("none", ())


def further_files(settings: CustomResourceState) -> tuple[str, ...]:
    """Return the paths of the files that `files` names; of a folder, those of its files in the order of their names.

    Raises:
        ConfigError: a folder cannot be read, or has too many files.
    """
    found: list[str] = []
    for path in settings.files:
        try:
            found += files_of(path)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{SETTING}.files: {path!r}: {getattr(error, 'strerror', None) or error}") from error
    if len(found) > MAX_FILES:
        raise ConfigError(f"{SETTING}.files: {len(found)} files; at most {MAX_FILES} are read")
    return tuple(found)


def files_of(path: str) -> list[str]:
    """Return the paths of the files of a folder in the order of their names; for all else the path itself.

    Raises:
        OSError, ValueError: the folder cannot be read.
    """
    if not os.path.isdir(path):
        return [path]
    # Kubernetes keeps the files of a ConfigMap's former versions in folders whose names begin with a dot.
    return [os.path.join(path, name) for name in sorted(os.listdir(path)) if _is_configuration(name)]


def present_files(settings: CustomResourceState) -> tuple[str, ...]:
    """Return the paths of all files of the settings; those of `files` only while its folders can be read."""
    main = (settings.config_file,) if settings.config_file else ()
    try:
        return (*main, *further_files(settings))
    except ConfigError:
        return main


def _is_configuration(name: str) -> bool:
    return name.endswith((".yaml", ".yml", ".json")) and not name.startswith(".")


def configured_text(settings: CustomResourceState) -> tuple[str, str]:
    """Return the name of the source and its text; two empty texts for no configuration.

    Raises:
        ConfigError: the file cannot be read; one line with the path of the setting.
    """
    if settings.config:
        return f"{SETTING}.config", settings.config
    path = settings.config_file
    if not path or settings.continue_without_config_file and not os.path.exists(path):
        return "", ""
    return path, read_text(path, "config_file")


def read_text(path: str, key: str) -> str:
    """Return the text of a file.

    Args:
        key: setting that names the file.

    Raises:
        ConfigError: the file cannot be read; one line with the path of the setting.
    """
    try:
        return read_regular(path, MAX_BYTES).decode()
    except OSError as error:
        raise ConfigError(f"{SETTING}.{key}: {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{SETTING}.{key}: {path!r}: {error}") from error
