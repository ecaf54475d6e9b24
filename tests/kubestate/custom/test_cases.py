"""Recorded cases of kube-state-metrics: configuration, objects, and the pages that it printed for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from telegen.cli.main import main
from tests.kubestate.custom.pages import difference, parse, parse_openmetrics
from tests.kubestate.parity import repeated

CASES = sorted(Path(__file__).parent.joinpath("cases").iterdir())


def render(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the page that `telegen render` prints."""
    assert main(["render", *arguments]) == 0
    printed = capsys.readouterr()
    # A case may have objects that no entry selects.
    assert all(line.startswith("telegen: skipped") and "the kind is not supported" in line for line in printed.err.splitlines())
    return printed.out


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_text(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page has the recorded families, types, series and values, each series once."""
    page = render(capsys, "--config", str(case / "config.yaml"), str(case / "objects.json"))
    found = difference(parse((case / "expected.prom").read_bytes().decode()), parse(page))
    assert not found, "\n".join(found)
    assert repeated(page) == []


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_openmetrics(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The OpenMetrics page has the recorded types as well: info and stateset."""
    page = render(capsys, "--openmetrics", "--config", str(case / "config.yaml"), str(case / "objects.json"))
    found = difference(parse_openmetrics((case / "expected.openmetrics").read_bytes().decode()), parse_openmetrics(page))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_plain_list(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A List of the definitions and of each object in one version gives the same page as the map of Lists."""
    definitions = json.loads((case / "crds.json").read_text())["items"]
    lists = json.loads((case / "objects.json").read_text())
    items = [
        {"apiVersion": key.rpartition("/")[0], "kind": listed["kind"].removesuffix("List"), **obj}
        for key, listed in lists.items()
        for obj in listed["items"]
    ]
    named = [{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **one} for one in definitions]
    file = tmp_path / "objects.json"
    file.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [*named, *items]}))
    config = str(case / "config.yaml")
    assert render(capsys, "--config", config, str(file)) == render(capsys, "--config", config, str(case / "objects.json"))
