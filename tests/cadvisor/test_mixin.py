"""Metrics and labels that the rules and dashboards of kubernetes-mixin select of containers and machines are served.

tests/mixin.json has the names of all metrics that they use, each with the labels that they select, join or group by.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from telegen.cadvisor.cgroups.devices import Devices
from telegen.cadvisor.node import Node, Roots
from tests.cadvisor.page import Pages
from tests.cadvisor.trees import TREES, unpack

MIXIN: dict[str, list[str]] = json.loads((Path(__file__).parents[1] / "mixin.json").read_text())
WANTED = {name: labels for name, labels in MIXIN.items() if name.startswith(("container_", "machine_"))}
OF_THE_TARGET = {"node", "cluster", "instance", "job"}
"""Labels that the scrape configuration gives, as it does for the kubelet's page."""


@pytest.mark.parametrize("tree", ["v1-debian-6.1", "v2-debian-6.1"])
def test_metrics_of_the_mixin(tree: str, tmp_path: Path) -> None:
    """On nodes of both versions each metric is served by default, with all labels that are used."""
    root = unpack(TREES / f"{tree}.txt", tmp_path)
    roots = Roots(str(root / "cgroup"), str(root / "proc"), str(root / "sys"), str(root / "host"))
    pages = Pages(Node(roots, device=Devices(roots.proc, roots.sys)))
    served = {name: set(re.findall(r'(\w+)="', labels)) for name, labels in re.findall(r"^(\w+)\{(.*)\} ", pages.page(), re.MULTILINE)}
    pages.sampler.close()
    assert len(WANTED) > 10
    assert not WANTED.keys() - served.keys()
    lacking = {name: set(labels) - OF_THE_TARGET - served[name] for name, labels in WANTED.items()}
    assert not {name: labels for name, labels in lacking.items() if labels}
