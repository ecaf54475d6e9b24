"""Tables against what kube-state-metrics printed for the same objects. A case is a folder: objects.json and the wanted
pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.cli.main import main
from tests.kubestate.parity import difference, parse, repeated

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir())
OURS = {
    "kube_endpoint_address_available",
    "kube_endpoint_address_not_ready",
    "kube_horizontalpodautoscaler_status_observed_generation",
    "kube_job_duration_seconds",
    "kube_node_status_phase",
}
"""Families that kube-state-metrics does not have."""
EVERYTHING = """
kube_metrics:
  kube_state:
    labels_allowlist: {"*": ["*"]}
    annotations_allowlist: {"*": ["*"]}
    metric_opt_in_list: [".*"]
"""


def render(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `telegen render` prints."""
    assert main(["render", *arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


@pytest.mark.parametrize("variant", ["default", "all"])
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_page_equals_that_of_kube_state_metrics(
    case: Path, variant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every family, series and value is there, and nothing else, each series once."""
    config = tmp_path / "config.yaml"
    config.write_text(EVERYTHING if variant == "all" else "")
    page = render(capsys, str(case / "objects.json"), "--config", str(config))
    got = {name: family for name, family in parse(page).items() if name not in OURS}
    assert difference(parse((case / f"{variant}.prom").read_bytes().decode()), got) == []
    assert repeated(page) == []
