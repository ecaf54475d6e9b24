"""Metrics of kubernetes-mixin, whose rules and dashboards run in most clusters.

tests/mixin.json has the names of all metrics that it uses, each with the labels that it selects, joins or groups by.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families as parse

from telegen.cli.render import ObjectRenderer
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.selectors import Selection
from tests.kubestate.fixtures import COMPLETE, objects

MIXIN: dict[str, list[str]] = json.loads((Path(__file__).parents[1] / "mixin.json").read_text())
ALLOWLISTED = Selection(labels={"*": ["*"]})


@lru_cache
def page() -> dict[str, Metric]:
    """Return the page of all cases with the default configuration and every label."""
    found = ObjectRenderer(RESOURCES.values(), ALLOWLISTED)
    for name in COMPLETE:
        resource = RESOURCES[name]
        for obj in objects(name):
            found.add({**obj, "apiVersion": resource.api_version, "kind": resource.kind})
    return {family.name: family for family in parse("".join(found.lines(False)))}


@pytest.mark.parametrize("name", [name for name in MIXIN if name.startswith("kube_")])
def test_kube_metrics_have_the_labels_of_the_mixin(name: str) -> None:
    """A default resource has the metric, and a sample has all labels that the mixin uses."""
    assert any(family.name == name and resource.default for resource in RESOURCES.values() for family in resource.families)
    samples = page()[name].samples
    assert samples
    assert any(set(MIXIN[name]) <= set(sample.labels) for sample in samples), (MIXIN[name], samples[0].labels)
