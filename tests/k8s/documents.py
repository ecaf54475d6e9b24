"""Files that documents show, as users copy them."""

from __future__ import annotations

import re
import shutil
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.helm import Helm
from tests.cluster.kubectl import MANIFESTS, Kubectl, Object

INSTALL, MIGRATION, SECURITY = (MANIFESTS.parent / "docs" / f"{name}.md" for name in ("install", "migration", "security"))

HELM = "Helm"
"""Recipe of docs/migration.md whose manifests are those of the chart."""


def shown(document: Path, name: str, section: str = "") -> str:
    """Return the content of the code block that begins with the comment `# name`, the first one of a section."""
    text = re.split(rf"^#+ {re.escape(section)}$", document.read_text(), flags=re.MULTILINE)[-1] if section else document.read_text()
    found = re.search(rf"^    # {re.escape(name)}\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    assert found, f"{document.name}: no {name}"
    return textwrap.dedent(found[1])


def render_shown(kubectl: Kubectl, document: Path, section: str = "") -> list[Object]:
    """Return the objects of the kustomization.yaml in a document, rendered beside a copy of the manifests."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kustomization.yaml").write_text(shown(document, "kustomization.yaml", section))
        shutil.copytree(MANIFESTS, Path(folder) / "telegen" / "k8s")
        return kubectl.render(Path(folder))


def render_recipe(kubectl: Kubectl, name: str, **values: Any) -> list[Object]:
    """Return the objects of a recipe of docs/migration.md; `values` are further values of the chart.

    Helm creates no namespace: the objects of the chart's recipe have none.
    """
    if name != HELM:
        return render_shown(kubectl, MIGRATION, name)
    return Helm.found().render({**yaml.safe_load(shown(MIGRATION, "telegen.yaml", HELM)), **values})
