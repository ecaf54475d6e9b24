"""CONTRIBUTING.md: the functions and packages that it names exist, and every package is named."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.tools import SETS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
STEPS = re.findall(r"^\d+\. `([\w/.]+)`: `([\w.]+)`", TEXT.partition("## Paths through the code")[2], re.MULTILINE)
"""(file, dotted name) of each step of the paths through the code."""
TERMS = 20
"""Most terms that the glossary may have."""


def names(path: Path) -> set[str]:
    """Return the dotted names of the classes, functions and constants of a module."""
    found: set[str] = set()

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                found.add(prefix + child.name)
                visit(child, f"{prefix}{child.name}.")
            elif isinstance(child, (ast.Assign, ast.AnnAssign)):
                targets = child.targets if isinstance(child, ast.Assign) else [child.target]
                found.update(prefix + target.id for target in targets if isinstance(target, ast.Name))

    visit(ast.parse(path.read_text()), "")
    return found


@pytest.mark.parametrize(("file", "name"), STEPS)
def test_paths_name_functions_that_exist(file: str, name: str) -> None:
    """Each step of a path names a function, class or constant of its file."""
    path = ROOT / file
    assert path.exists(), f"CONTRIBUTING.md, paths through the code: {file} does not exist; name the file that has {name} now"
    assert name in names(path), f"CONTRIBUTING.md, paths through the code: {file} has no {name}; name the function that does this step now"


def test_every_package_is_named() -> None:
    """The table of packages has one line for each package and no other."""
    listed = set(re.findall(r"^\| `((?:telegen/\w+|workers|tests))` \|", TEXT, re.MULTILINE))
    packages = {f"telegen/{path.parent.name}" for path in ROOT.glob("telegen/*/__init__.py")} | {"workers", "tests"}
    assert listed == packages, f"CONTRIBUTING.md, packages: {sorted(listed ^ packages)} are on one side only"


def test_every_set_is_named() -> None:
    """The table of tests has a line for each set of tests/tools.py."""
    for each in SETS:
        assert f"| `{each.mark}` |" in TEXT, f"CONTRIBUTING.md, tests: add a line for the set `{each.mark}`"


def test_glossary_stays_short() -> None:
    """The glossary has at most 20 terms, in order."""
    terms = re.findall(r"^\| (?!term|-)([\w -]+) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    assert terms == sorted(terms) and len(terms) <= TERMS
