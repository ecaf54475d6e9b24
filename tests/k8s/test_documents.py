"""Overlays in documents: copied and rendered."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from telegen.config import Config, load
from telegen.config.settings import settings, value_at
from tests.cluster.kubectl import MANIFESTS, Kubectl, Object
from tests.k8s.rendered import config_text, container, environment

pytestmark = pytest.mark.cluster
MEANT = {"kube_metrics.kube_state.labels_allowlist"}
"""Settings that the example of docs/install.md changes."""


def shown(document: Path, folder: Path, kubectl: Kubectl) -> list[Object]:
    """Render the kustomization in a document, beside a copy of the manifests."""
    found = re.search(r"^    # kustomization\.yaml\n((?:    .*\n|\n)+)", document.read_text(), re.MULTILINE)
    assert found
    (folder / "kustomization.yaml").write_text(re.sub("^    ", "", found[1], flags=re.MULTILINE))
    shutil.copytree(MANIFESTS, folder / "telegen" / "k8s")
    return kubectl.render(folder)


def config(objs: list[Object], folder: Path) -> Config:
    """Load the configuration of the objects' pod."""
    path = folder / "telegen.yaml"
    path.write_text(config_text(objs))
    return load(str(path), environment(objs))


def test_overlay_of_ones_own(kubectl: Kubectl, tmp_path: Path) -> None:
    """The overlay in docs/install.md can be rendered, and changes only the settings in `MEANT`: users who copy it keep the node's
    mounts and the scraped paths."""
    objs = shown(MANIFESTS.parent / "docs" / "install.md", tmp_path, kubectl)
    own, shipped = config(objs, tmp_path), config(kubectl.render(MANIFESTS), tmp_path)
    changed = {path for path, _, _ in settings() if value_at(own, path) != value_at(shipped, path)}
    assert changed == MEANT
    assert container(objs)["image"].startswith("registry.example/telegen:")
    assert {"NetworkPolicy", "DaemonSet"} <= {obj["kind"] for obj in objs}


def test_overlay_of_the_manifests_readme(kubectl: Kubectl, tmp_path: Path) -> None:
    """The shorter overlay in k8s/README.md can be rendered."""
    objs = shown(MANIFESTS / "README.md", tmp_path, kubectl)
    assert container(objs)["image"].startswith("registry.example/telegen:")
    assert {"NetworkPolicy", "DaemonSet"} <= {obj["kind"] for obj in objs}
