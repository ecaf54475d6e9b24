"""Check the language of docstrings and comments: `python -m tests.language FOLDER...`, part of `make lint`.

Readers know the standard terms of Kubernetes, Prometheus and the kernel. Two kinds of wording have proven hard to read, so
both lists below are short, and each entry has its reason:

- A docstring that begins with a question word or a statement of comparison describes a thing by what it is not called.
  Begin with an imperative ("Return ...") or a noun phrase ("Cache of ...").
- Private idioms have no fixed meaning. Name the process, object or field instead.
"""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

OPENINGS = tuple("what whether where who whose when how look know knows say says tell tells told".split()) + ("the same",)
"""First words that a docstring must not have: they start a clause, not a statement."""
IDIOMS = {
    r"\bwho(so)?ever\b": "name the process or person",
    r"\bnobody\b|\bsomebody\b|\banybody\b|\beverybody\b": "name the process or person",
    r"\bwhat waits\b|\bwho waits\b": 'name it: "pending pods", "waiting agents"',
    r"\bto be had\b": '"available"',
    r"\b(is|are) said\b": "name the metric or message",
    r"\bgoes by\b|\bgo by\b": '"uses", "passes"',
    r"\bcame to be\b|\bcomes to be\b": '"was created"',
    r"\bwho is \w+": "name the process",
}
"""Expressions that no docstring or comment may contain, and the remedy."""


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring and of every string that documents an attribute."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str):
                yield statement.lineno, statement.value.value


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every comment."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def problems(path: Path) -> Iterator[str]:
    """One line per rejected wording: place, words and remedy."""
    found = list(docstrings(ast.parse(path.read_text())))
    for line, text in found:
        first = " ".join(text.split()[:2]).lower().rstrip(".,:;")
        for opening in OPENINGS:
            if first == opening or first.startswith(opening + " "):
                yield f"{path}:{line}: docstring begins with {opening!r}: begin with an imperative or a noun phrase"
    for line, text in (*found, *comments(path)):
        for pattern, remedy in IDIOMS.items():
            for match in re.finditer(pattern, text, re.IGNORECASE):
                yield f"{path}:{line + text[: match.start()].count(chr(10))}: {match[0]!r}: {remedy}"


def main(folders: list[str]) -> int:
    """Print every problem; the exit status is 1 if there is one."""
    files = sorted(path for folder in folders for path in ([Path(folder)] if folder.endswith(".py") else Path(folder).rglob("*.py")))
    found = [line for path in files for line in problems(path)]
    print("\n".join(found) if found else f"language: {len(files)} files, no problem")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
