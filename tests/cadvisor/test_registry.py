"""Completeness of the collectors: each module is registered, documented and covered by a case. A failure says what to add."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telegen.cadvisor import collectors
from telegen.cadvisor.registry import MODULES, NAMES, collectors_of
from tests.cadvisor.trees import TREES

DOCS = Path(__file__).parents[2] / "docs"
TESTS = Path(__file__).parent

FILES = sorted(path.stem for path in Path(collectors.__path__[0]).glob("*.py") if not path.stem.startswith("_"))
COLLECTORS = {name: collector for name, collector in zip(MODULES, collectors_of(NAMES))}


def cases() -> str:
    """Text of all cases: the pages of whole nodes, and the tests of single collectors."""
    pages = [*TREES.glob("*.prom"), *(TESTS / "hosts").glob("*.prom")]
    paths = [*pages, *(path for path in TESTS.glob("test_*.py") if path != Path(__file__))]
    return "\n".join(path.read_text() for path in paths)


@pytest.mark.parametrize("name", FILES)
def test_collector_is_registered(name: str) -> None:
    """Each module of collectors/ is in the registry; modules that begin with `_` are helpers."""
    if name not in MODULES:
        pytest.fail(f'collectors/{name}.py is not registered: add "{name}" to MODULES in telegen/cadvisor/registry.py', False)


def test_names_are_unique() -> None:
    """The name of a collector is the name of its store."""
    names = [collector.name for collector in COLLECTORS.values()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        pytest.fail(f"two collectors are called {', '.join(twice)}: give each Collector a name of its own", False)


@pytest.mark.parametrize("name", COLLECTORS)
def test_collector_is_documented(name: str) -> None:
    """Each family is in docs/metrics, and each group in the table of docs/containers.md."""
    collector = COLLECTORS[name]
    pages = "".join((DOCS / "metrics" / page).read_text() for page in ("containers.md", "machine.md"))
    for family in collector.families:
        if f"| `{family.name}` |" not in pages:
            pytest.fail(f"{family.name} is not in docs/metrics: run .venv/bin/telegen metrics --markdown --out docs/metrics", False)
    groups = re.findall(r"^\| ([\w, ]+) \| (?:yes|no) \|", (DOCS / "containers.md").read_text(), re.MULTILINE)
    if collector.group and collector.group not in ", ".join(groups).split(", "):
        pytest.fail(f"group {collector.group} is not in docs/containers.md: add a row to the table of groups", False)


@pytest.mark.parametrize("name", COLLECTORS)
def test_collector_has_a_case(name: str) -> None:
    """Each family occurs in a case with its value."""
    text = cases()
    missing = [family.name for family in COLLECTORS[name].families if family.name not in text]
    if missing:
        pytest.fail(
            f"{', '.join(missing)}: no test has a sample; add a case to CASES in tests/cadvisor/test_collectors.py, or its "
            "files to tests/cadvisor/trees/*.txt and run pytest tests/cadvisor/test_trees.py --update-golden",
            False,
        )
