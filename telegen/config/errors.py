"""What is wrong with a configuration."""

from __future__ import annotations


class ConfigError(Exception):
    """One line per fault, each beginning with the path of the key: `kube_metrics.listen_address: ...`."""
