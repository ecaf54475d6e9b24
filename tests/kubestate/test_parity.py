"""Parity with kube-state-metrics: a case is a folder with objects.json and the pages that it printed for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.cli.main import main
from tests.kubestate.fixtures import CASES
from tests.kubestate.parity import difference, parse, repeated

RECORDED = sorted(path.parent for path in CASES.glob("*/default.prom"))
OURS = {
    "kube_endpoint_address_available",
    "kube_endpoint_address_not_ready",
    "kube_horizontalpodautoscaler_status_observed_generation",
    "kube_job_duration_seconds",
    "kube_node_status_phase",
}
"""Families of its resources that kube-state-metrics does not have."""
EVERYTHING = """
kube_metrics:
  kube_state:
    labels_allowlist: {"*": ["*"]}
    annotations_allowlist: {"*": ["*"]}
    metric_opt_in_list: [".*"]
"""


def render(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the page that `telegen render` prints."""
    assert main(["render", *arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


@pytest.mark.parametrize("variant", ["default", "all"])
@pytest.mark.parametrize("case", RECORDED, ids=lambda path: path.name)
def test_page_equals_that_of_kube_state_metrics(
    case: Path, variant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page has exactly the recorded families, series and values, each series once."""
    config = tmp_path / "config.yaml"
    config.write_text(EVERYTHING if variant == "all" else "")
    page = render(capsys, str(case / "objects.json"), "--config", str(config))
    got = {name: family for name, family in parse(page).items() if name not in OURS}
    found = difference(parse((case / f"{variant}.prom").read_bytes().decode()), got)
    assert not found, (
        f"{case.name} differs from the page of kube-state-metrics (an extra family that it does not have belongs to OURS in this "
        "file, with a case in tests/kubestate/derived):\n" + "\n".join(found)
    )
    assert repeated(page) == []
