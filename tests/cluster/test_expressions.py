"""Files that `make check-rules` reads."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.cluster.check_rules import main
from tests.cluster.expressions import Expression, Unreadable, read_expressions, recording_rules

RULES = """
groups:
  - name: a
    rules:
      - {alert: Down, expr: up == 0}
      - {record: a:b, expr: sum(c)}
"""
ENTRIES = """[{"kind": "panel", "name": "CPU", "expr": "rate(a{b=\\"$c\\"}[$__rate_interval])", "run": "rate(a[5m])"},
{"kind": "record", "name": "d:e", "expr": "rate(f[$__rate_interval])", "results": {"peers": 0}}]"""
READ_RULES = [Expression("Down", "up == 0"), Expression("a:b", "sum(c)", records=True)]
READ = {
    "rules.yaml": (RULES, READ_RULES),
    "rule.yml": (f"kind: PrometheusRule\nspec:{textwrap.indent(RULES, '  ')}", READ_RULES),
    "panels.json": (ENTRIES, [Expression("CPU", "rate(a[5m])"), Expression("d:e", "rate(f[1m])", records=True, empty=True)]),
    "lines.txt": ("# comment\n\nup\n  sum(a) \n", [Expression("up", "up"), Expression("sum(a)", "sum(a)")]),
}
BAD = {
    "empty.txt": ("# nothing\n", "no expressions"),
    "variable.json": ('[{"expr": "a{b=\\"$c\\"}"}]', "entry 1: a variable of a dashboard"),
    "entry.yaml": ("groups: [{rules: [{alert: A}]}]", "entry 1: no `expr`"),
    "broken.yaml": ("a: [", "while parsing"),
}


@pytest.mark.parametrize("name", READ)
def test_forms_of_files(name: str, tmp_path: Path) -> None:
    """Rule files, PrometheusRules, lists of dashboards' queries and plain lines are read."""
    (tmp_path / name).write_text(READ[name][0])
    assert read_expressions(tmp_path / name) == READ[name][1]


@pytest.mark.parametrize("name", BAD)
def test_bad_files(name: str, tmp_path: Path) -> None:
    """An unreadable file is an error that names it, the entry and the cause."""
    (tmp_path / name).write_text(BAD[name][0])
    with pytest.raises(Unreadable, match=f"{name}: .*{BAD[name][1]}"):
        read_expressions(tmp_path / name)


def test_recording_rules_are_loaded() -> None:
    """Recording rules become a rule file, so that expressions over their results have data."""
    rules = {"groups": [{"name": "recorded", "rules": [{"record": "a:b", "expr": "sum(c)"}]}]}
    assert recording_rules([Expression("Down", "up == 0"), Expression("a:b", "sum(c)", records=True)]) == rules
    assert recording_rules([Expression("Down", "up == 0")]) is None


def test_bad_usage_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file, and with one that does not exist, the command prints one line."""
    assert main([""]) == 2 and "EXPRESSIONS=FILE" in capsys.readouterr().err
    assert main([str(tmp_path / "none.yaml")]) == 2 and "No such file" in capsys.readouterr().err
