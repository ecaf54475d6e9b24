"""The error that a configuration raises."""

from __future__ import annotations


class ConfigError(Exception):
    """An invalid configuration: one line per problem, each beginning with a path: `kube_metrics.listen_address: ...`."""


INVALID = object()
"""Value of a setting whose error has been reported already."""
