"""API groups of the metrics APIs and their versions."""

from __future__ import annotations

from collections.abc import Mapping

CUSTOM, EXTERNAL, RESOURCE = "custom.metrics.k8s.io", "external.metrics.k8s.io", "metrics.k8s.io"
VERSIONS: Mapping[str, tuple[str, ...]] = {
    CUSTOM: ("v1beta2", "v1beta1"),
    EXTERNAL: ("v1beta1",),
    # Both have the same documents (KEP-5207). API servers prefer the version of the APIService with the higher priority.
    RESOURCE: ("v1beta1", "v1"),
}
"""The preferred version first."""
