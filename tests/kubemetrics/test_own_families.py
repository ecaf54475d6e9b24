"""Declarations of the agent's own metrics, and the code that makes them."""

from __future__ import annotations

import re
from pathlib import Path

import telegen.kubemetrics
from telegen.kubemetrics.own_families import OWN_FAMILIES

SOURCES = [path for path in Path(telegen.kubemetrics.__path__[0]).glob("*.py") if path.name != "own_families.py"]


def test_every_family_is_declared_and_made() -> None:
    """Code makes each declared family, and no other one by itself."""
    text = "\n".join(path.read_text() for path in SOURCES)
    assert {name for name in OWN_FAMILIES if f'"{name}"' not in text} == set()
    assert re.findall(r'\b(?:Gauge|Counter|Histogram|\w+MetricFamily)\(\s*"telegen_', text) == []
