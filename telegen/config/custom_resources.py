"""Text of the configuration of custom resources: of the setting itself, or of the file that it names."""

from __future__ import annotations

import os

from telegen.config.document import read_regular
from telegen.config.errors import ConfigError
from telegen.config.model import CustomResourceState

SETTING = "kube_metrics.kube_state.custom_resource_state"
MAX_BYTES = 4 << 20
"""Maximum of bytes of a configuration."""


def is_used(settings: CustomResourceState) -> bool:
    """Return True if custom resources are to be watched."""
    return bool(settings.config or settings.config_file or settings.packs) or settings.health not in ("none", ())


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
    try:
        return path, read_regular(path, MAX_BYTES).decode()
    except OSError as error:
        raise ConfigError(f"{SETTING}.config_file: {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{SETTING}.config_file: {path!r}: {error}") from error
