"""Names of resources in requests and rules."""

from __future__ import annotations

import pytest

from telegen.adapter.rest_mapping import GroupResource, RestMapping
from telegen.api.discovery import ServedResource

MAPPING = RestMapping(
    [
        ServedResource("", "v1", "pods", "Pod", True, "pod"),
        ServedResource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", True),
        ServedResource("streams.example.com", "v1", "kafkatopics", "KafkaTopic", True, "topic"),
        ServedResource("old.example.com", "v1", "foos", "Foo", False),
        ServedResource("apps.example.com", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True),
        ServedResource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True),
    ]
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("pods", "pods"),
        ("Pod", "pods"),
        ("podmetrics", "pods.metrics.k8s.io"),
        ("topic", "kafkatopics.streams.example.com"),
        ("KafkaTopic.streams", "kafkatopics.streams.example.com"),
        ("foo", "foos.old.example.com"),
        ("poddisruptionbudget", "poddisruptionbudgets.policy"),
        ("poddisruptionbudgets.apps", "poddisruptionbudgets.apps.example.com"),
        ("po", None),
        ("topics", None),
    ],
)
def test_names(name: str, found: str | None) -> None:
    """A resource is found by plural, kind, and the singular that the API server names, or that of its kind."""
    mapped = MAPPING.find(GroupResource.parse(name))
    assert (str(mapped.resource) if mapped else None) == found
