"""Objects of many operators and of odd shapes, and the pages of their health."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.cli.main import main
from tests.kubestate.parity import repeated

CASES = sorted(Path(__file__).parent.joinpath("cases").iterdir())
CONFIG = "kube_metrics: {kube_state: {custom_resource_state: {health: auto, only: true}}}\n"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_page(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page has exactly the recorded lines, each series once, and no family was left out for an object."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    assert main(["render", "--config", str(config), str(case / "objects.json")]) == 0
    printed = capsys.readouterr()
    lines = [line for line in printed.out.split("\n") if line and not line.startswith("# HELP")]
    assert lines == (case / "expected.prom").read_text().splitlines()
    assert repeated(printed.out) == []
    assert "malformed" not in printed.err
