"""Control files of real kernels, v1, hybrid and v2, against the pages that they must become. A case is a folder and a
page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cadvisor.page import sampled, timeless

CASES = sorted(path for path in (Path(__file__).parent / "fixtures").iterdir() if path.is_dir())


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_page_of_a_real_kernel(case: Path, update_golden: bool) -> None:
    """Every cgroup of the pods there, with what its kernel said of it, and nothing else."""
    text, errors = sampled(case)
    text = timeless(text)
    wanted = case.with_suffix(".prom") if "." not in case.name else case.parent / f"{case.name}.prom"
    if update_golden:
        wanted.write_text(text)
    assert text == wanted.read_text()
    assert not errors
