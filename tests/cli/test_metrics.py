"""`telegen metrics` and the documents that it generates."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.cli.main import main
from telegen.cli.metrics_reference import documents, tables

DOCS = Path(__file__).parents[2] / "docs" / "metrics"
COMMAND = "telegen metrics --markdown --out docs/metrics"


def test_documents_are_current() -> None:
    """docs/metrics is generated from the tables and has no other files."""
    written = {path.stem: path.read_text(encoding="utf-8") for path in DOCS.glob("*")}
    wanted = dict(documents())
    stale = sorted(name for name in written.keys() | wanted.keys() if written.get(name) != wanted.get(name))
    assert not stale, f"docs/metrics differs from the tables in {', '.join(stale)}: run `{COMMAND}`; delete documents without a table"


def test_documents_are_written(tmp_path: Path) -> None:
    """--out creates the folder, one document per table, and the index, which links to all of them."""
    folder = tmp_path / "new" / "folder"
    assert main(["metrics", "--markdown", "--out", str(folder)]) == 0
    names = {path.name for path in folder.iterdir()}
    assert names == {f"{table.name}.md" for table in tables()} | {"README.md"}
    index = (folder / "README.md").read_text()
    assert all(f"]({name})" in index for name in names - {"README.md"})


def test_every_family_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --out the documents are printed; each family has one row with its stability and labels."""
    assert main(["metrics", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert len(rows) == sum(len(table.families) for table in tables())
    beginning = "| `kube_pod_nodeselectors` | gauge | ALPHA, opt-in | `nodeselector_*` | "
    assert any(row.startswith(beginning) for row in rows)
    assert any(row.startswith("| `kube_endpoint_ports` | gauge | STABLE, deprecated since 2.14.0 |") for row in rows)


def test_names_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --markdown the output is one name per line."""
    assert main(["metrics"]) == 0
    names = capsys.readouterr().out.splitlines()
    assert names == [family.name for table in tables() for family in table.families]


def test_bad_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that cannot be created, and --out without --markdown, are errors of one line."""
    (tmp_path / "file").write_text("")
    assert main(["metrics", "--markdown", "--out", str(tmp_path / "file" / "x")]) == 2
    assert "Not a directory" in capsys.readouterr().err
    assert main(["metrics", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "telegen: --out needs --markdown\n"
