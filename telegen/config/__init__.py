"""The settings of the agent: model, loading, validation, and detection of the environment."""

from __future__ import annotations

from telegen.config.detect import (
    Detection,
    NamedCluster,
    cluster_source,
    detect,
    election_namespace,
    pod_namespace,
    sampled_node,
)
from telegen.config.errors import ConfigError
from telegen.config.load import ConfigSource, load
from telegen.config.model import Config
from telegen.config.settings import not_effective

__all__ = [
    "Config",
    "ConfigError",
    "ConfigSource",
    "Detection",
    "NamedCluster",
    "cluster_source",
    "detect",
    "election_namespace",
    "pod_namespace",
    "load",
    "not_effective",
    "sampled_node",
]
