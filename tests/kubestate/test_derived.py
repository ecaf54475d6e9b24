"""Derived cases: objects that the recorded cases lack, with samples derived from the API's types and the catalogue.

A case is a pair of files: `<name>.yaml`, the objects, and `<name>.prom`, complete families of the page. An optional
`<name>.config.yaml` is the configuration.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kubestate.parity import difference, parse, repeated
from tests.kubestate.test_parity import render

CASES = sorted((Path(__file__).parent / "derived").glob("*.prom"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_families_are_as_derived(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The families of the case have exactly these series and values; no family fails and no series is repeated."""
    config = case.with_suffix(".config.yaml")
    page = render(capsys, str(case.with_suffix(".yaml")), *(["--config", str(config)] if config.exists() else []))
    wanted = parse(case.read_bytes().decode())
    assert difference(wanted, {name: family for name, family in parse(page).items() if name in wanted}) == []
    assert repeated(page) == []
