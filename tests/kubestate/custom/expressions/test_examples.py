"""The examples of docs/expressions.md: a configuration, objects, and their page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telegen.cli.main import main

DOCUMENT = Path("docs/expressions.md").read_text()
_EXAMPLE = re.compile(r"### ([^\n]+)\n.*?```yaml\n(.*?)```\n\n```yaml\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
EXAMPLES = {title: (configuration, objects, page) for title, configuration, objects, page in _EXAMPLE.findall(DOCUMENT)}


def test_every_example_is_found() -> None:
    """Each heading below `Examples` has an example."""
    assert list(EXAMPLES) == re.findall(r"^### (.+)$", DOCUMENT, re.MULTILINE)
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("title", EXAMPLES)
def test_example(title: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`telegen custom render` prints the page of an example, and `telegen custom check` finds nothing wrong."""
    configuration, objects, page = EXAMPLES[title]
    file, other = tmp_path / "metrics.yaml", tmp_path / "objects.yaml"
    file.write_text(configuration)
    other.write_text(objects)
    assert main(["custom", "check", str(file)]) == 0
    assert "warning" not in capsys.readouterr().out
    assert main(["custom", "render", str(file), str(other)]) == 0
    shown = "".join(f"{line}\n" for line in capsys.readouterr().out.splitlines() if not line.startswith("#"))
    assert shown == page
