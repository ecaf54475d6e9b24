"""Malformed configurations with expressions, and the message of each: files with a text, and lines that begin with `--> `."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from telegen.config.errors import ConfigError
from telegen.kubestate.custom.expressions import written
from telegen.kubestate.custom.expressions.conflicts import conflicts
from telegen.kubestate.custom.expressions.reading import read_metrics

FILES = sorted((Path(__file__).parent / "malformed").glob("*.txt"))
BLOCKS = (written.File, written.Entry, written.Resource, written.Excluded, written.Selector, written.Limits, written.Metric, written.Loop)
_CASE = re.compile(r"(.*?\n)((?:--> [^\n]*\n)+)\n?", re.DOTALL)


def cases(file: Path) -> dict[str, list[str]]:
    """Return the lines of the messages by text."""
    return {text: re.findall("^--> (.*)$", lines, re.MULTILINE) for text, lines in _CASE.findall(file.read_text())}


CASES = {text: lines for file in FILES for text, lines in cases(file).items()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_messages(file: Path) -> None:
    """Each problem of a text has one line with file, line, path, cause and cure."""
    found = {}
    for text in cases(file):
        try:
            found[text] = list(conflicts(read_metrics(text.rstrip("\n").encode(), "f").entries))
        except ConfigError as error:
            found[text] = str(error).splitlines()
    assert found == cases(file)


def test_every_key_has_a_wrong_value() -> None:
    """Each key of each block is in the path of some message."""
    paths = {line.split(": ")[1] for lines in CASES.values() for line in lines if line.count(": ") > 1}
    named = {part for path in paths for part in re.findall(r"\w+", path)}
    keys = {key for block in BLOCKS for key in block.__struct_encode_fields__}
    assert keys - named == set()


def test_every_message_has_a_cure() -> None:
    """Each line names what to write instead, or what is expected; those of PyYAML do not."""
    lines = [line for lines in CASES.values() for line in lines]
    assert [line for line in lines if not re.search("; |expect|appears 2 times", line)] == []
    assert len(lines) > 150
    assert all(issubclass(block, msgspec.Struct) for block in BLOCKS)
