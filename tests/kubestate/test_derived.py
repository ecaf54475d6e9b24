"""Objects that the recorded cases do not have, against what kube-state-metrics' rules make of them.

A case is a pair of files: `<name>.yaml`, the objects, and `<name>.prom`, whole families of the page; `<name>.config.yaml`
selects where it is there. The wanted samples are reasoned from the API's types and the catalogue, not recorded.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kubestate.parity import difference, parse, repeated
from tests.kubestate.test_parity import render

CASES = sorted((Path(__file__).parent / "derived").glob("*.prom"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_families_are_as_reasoned(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The families that the case names have these series and values and no others; nothing fails or stands twice."""
    config = case.with_suffix(".config.yaml")
    page = render(capsys, str(case.with_suffix(".yaml")), *(["--config", str(config)] if config.exists() else []))
    wanted = parse(case.read_bytes().decode())
    assert difference(wanted, {name: family for name, family in parse(page).items() if name in wanted}) == []
    assert repeated(page) == []
