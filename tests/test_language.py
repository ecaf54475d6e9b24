"""The check of docstrings and comments."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.language import IDIOMS, OPENINGS, main, problems

EXAMPLES = (
    *("whoever", "whosoever", "nobody", "somebody", "anybody", "Everybody", "what waits", "who waits", "to be had", "is said", "are said"),
    *("goes by", "go by", "came to be", "comes to be", "who is late"),
)
"""Texts with an idiom, at least one per pattern."""
GOOD = '''"""Cache of pages, whatever their size."""

LIMIT = 1
"""Number of pages; see what `Cache` drops."""


def drop(name: str) -> str:
    """Return the text, or raise.

    What follows the first sentence may begin with any word.
    """
    return name or "nobody"  # Strings are not checked.
'''


def found(folder: Path, text: str) -> list[str]:
    """Return the problems of a module with this text, without its path."""
    path = folder / "module.py"
    path.write_text(text)
    return [line.removeprefix(f"{path}:") for line in problems(path)]


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("text", ['"""{}"""', 'A = 1\n"""{}"""', 'def f():\n    """{}"""', 'class A:\n    """{}"""'])
def test_openings(opening: str, text: str, tmp_path: Path) -> None:
    """Docstrings of modules, attributes, functions and classes are checked, in any case, with and without a further word."""
    line = text.count("\n") + 1
    for words in (opening.capitalize(), f"{opening} follows"):
        assert found(tmp_path, text.format(words)) == [
            f"{line}: docstring begins with {opening!r}: begin with an imperative or a noun phrase"
        ]
    assert found(tmp_path, text.format(f"{opening}ly follows")) == []


@pytest.mark.parametrize("words", EXAMPLES)
def test_idioms(words: str, tmp_path: Path) -> None:
    """Each line of a docstring and each comment is checked."""
    for text, line in ((f'"""Text.\n\nA sentence, {words}."""', 3), (f"A = 1\nB = 2  # A sentence, {words}.", 2)):
        (problem,) = found(tmp_path, text)
        assert problem.startswith(f"{line}: '{words}': "), problem


@pytest.mark.parametrize(("pattern", "remedy"), IDIOMS.items())
def test_each_idiom_has_an_example(pattern: str, remedy: str, tmp_path: Path) -> None:
    """The problem of an idiom ends with the remedy of its pattern."""
    examples = [words for words in EXAMPLES if re.fullmatch(pattern, words, re.IGNORECASE)]
    assert examples
    assert found(tmp_path, "".join(f"# {words}\n" for words in examples)) == [
        f"{line}: {words!r}: {remedy}" for line, words in enumerate(examples, 1)
    ]


def test_good_text(tmp_path: Path) -> None:
    """Words inside of a sentence and strings are no problem."""
    assert found(tmp_path, GOOD) == []


def test_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 1 if a file of any folder has a problem."""
    (tmp_path / "good.py").write_text(GOOD)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "language: 1 files, no problem\n"
    (tmp_path / "bad.py").write_text("# nobody\n")
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{tmp_path}/bad.py:1: 'nobody': name the process or person\n"
