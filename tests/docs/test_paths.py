"""Paths through the code in CONTRIBUTING.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEPS = re.split(r"^\d+\. ", (ROOT / "CONTRIBUTING.md").read_text().partition("## Paths through the code")[2], flags=re.MULTILINE)[1:]
FILE, MEMBER = re.compile(r"`((?:telegen|workers)/[\w/]+\.py)`"), re.compile(r"`(_?[A-Z]\w+)\.(\w+)`")


@pytest.mark.parametrize("step", STEPS, ids=range(len(STEPS)))
def test_files_and_methods_of_a_step_exist(step: str) -> None:
    files = FILE.findall(step)
    assert [name for name in files if not (ROOT / name).is_file()] == []
    texts = [path.read_text() for name in files for path in (ROOT / name).parent.rglob("*.py")]
    for owner, member in MEMBER.findall(step):
        assert any(f"class {owner}" in text and f"def {member}(" in text for text in texts), f"{owner}.{member}"


def test_there_are_steps() -> None:
    assert len(STEPS) > 80 and sum(bool(FILE.search(step)) for step in STEPS) > 70
