"""Each setting once: its name, type, default, check and help; strict loading; and what an environment switches on by
itself."""

from __future__ import annotations

from telegen.config.detect import Detection, NamedCluster, detect, election_namespace
from telegen.config.errors import ConfigError
from telegen.config.load import Sources, load, not_effective
from telegen.config.model import Config

__all__ = ["Config", "ConfigError", "Detection", "NamedCluster", "Sources", "detect", "election_namespace", "load", "not_effective"]
