"""Pages of whole nodes: control files and /proc of real kernels (v1, hybrid, v2), and one tree of malformed files.
A case is trees/NAME.txt (see `trees`) and trees/NAME.prom; `--update-golden` writes the latter anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.cadvisor.cgroups.devices import Devices
from telegen.cadvisor.node import Node, Roots
from telegen.cadvisor.registry import NAMES
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages
from tests.cadvisor.trees import TREES, unpack


@pytest.mark.parametrize("tree", sorted(TREES.glob("*.txt")), ids=lambda path: path.stem)
def test_page_of_a_node(tree: Path, tmp_path: Path, update_golden: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all groups on, the page has exactly the samples of the golden file, in the first and in later passes."""
    monkeypatch.setattr("telegen.cadvisor.sampler.time.time", lambda: 1_795_465_500.0)
    root = unpack(tree, tmp_path)
    roots = Roots(str(root / "cgroup"), str(root / "proc"), str(root / "sys"), str(root / "host"))
    pages = Pages(Node(roots, device=Devices(roots.proc, roots.sys)), Cadvisor(enabled_metrics=tuple(sorted(NAMES))))
    text = pages.page()
    assert pages.page() == text
    wanted = tree.with_suffix(".prom")
    if update_golden:
        wanted.write_text(text)
    assert text == wanted.read_text()
    assert not pages.failures
    assert not pages.sampler.errors or tree.stem == "odd"
    pages.sampler.close()
