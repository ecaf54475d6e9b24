"""The shipped alerts and recording rules, evaluated by promtool."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.prometheus import promtool
from tests.k8s.rule_files import RULES, TARGET, prometheus_rule, rules

pytestmark = pytest.mark.prometheus
HERE = Path(__file__).parent
RUNBOOKS = HERE.parents[1] / "docs" / "runbooks.md"
# Values such as 0x20 are no numbers.
CASES: dict[str, dict[str, Any]] = yaml.load((HERE / "alert_cases.yaml").read_text(), yaml.BaseLoader)
ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
SEVERITIES = ("critical", "warning", "info")


def unit_test(name: str) -> dict[str, Any]:
    """Return promtool's unit test of an alert: at each minute of the case exactly these series of ALERTS are firing."""
    case, severity = CASES[name], ALERTS[name]["labels"]["severity"]
    wanted = {minute: case["fires"].get(minute, []) for minute in (*case["silent"], *case["fires"])}
    head = f'ALERTS{{alertname="{name}",alertstate="firing",severity="{severity}"'
    checks = [
        {
            "expr": f'ALERTS{{alertname="{name}",alertstate="firing"}}',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": f"{head}{',' if labels else ''}{labels}}}", "value": 1} for labels in found],
        }
        for minute, found in wanted.items()
    ]
    series = [{"series": each, "values": values} for each, values in case["series"].items()]
    return {"name": name, "interval": "1m", "input_series": series, "promql_expr_test": checks}


def test_every_alert_fires_is_silent_and_resolves(tmp_path: Path) -> None:
    """Each alert fires with its cause, and neither before nor after it, nor for the series beside it that are well."""
    assert CASES.keys() == ALERTS.keys()
    for case in CASES.values():
        silent, fires = (list(map(int, case[key])) for key in ("silent", "fires"))
        assert min(silent) < min(fires) < max(silent)
    tests = {"rule_files": list(map(str, RULES)), "evaluation_interval": "1m", "tests": [unit_test(name) for name in CASES]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(tests))
    promtool("test", "rules", tmp_path / "test.yaml")


def test_efficiency() -> None:
    """The recording rules give the numbers of efficiency_test.yaml, and each of them is tested."""
    cases = HERE / "efficiency_test.yaml"
    promtool("test", "rules", cases)
    tested = set(re.findall(r"^ +- expr: (telegen:\S+)$", cases.read_text(), re.M))
    assert {rule["record"] for rule in rules() if "record" in rule} == tested


def test_rules_are_valid() -> None:
    """promtool finds nothing wrong with the rules and the templates in them."""
    for path in RULES:
        assert "SUCCESS" in promtool("check", "rules", path)


def test_the_prometheus_rule_is_current() -> None:
    """The PrometheusRule has the groups of the rule files."""
    assert TARGET.read_text() == prometheus_rule(), "run `python -m tests.k8s.rule_files`"


@pytest.mark.parametrize("name", ALERTS)
def test_annotations(name: str) -> None:
    """Every alert has what receivers route by and show; texts use labels that its series have; the runbook has its paragraphs."""
    rule, case = ALERTS[name], CASES[name]
    annotations = rule["annotations"]
    assert rule["labels"]["severity"] in SEVERITIES and set(annotations) == {"summary", "description", "runbook_url"}
    labels = [set(re.findall(r'(\w+)="', series)) for found in case["fires"].values() for series in found]
    for used in re.findall(r"\$labels\.(\w+)", annotations["summary"] + annotations["description"]):
        assert used == "namespace" or all(used in each for each in labels), used
    assert annotations["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
    (section,) = re.findall(rf"^## {name}\n\n(.*?)(?=\n## |\Z)", RUNBOOKS.read_text(), re.M | re.S)
    assert [part.split(":")[0] for part in section.strip().split("\n\n")] == ["Meaning", "Look at", "Do"]


def test_runbooks_are_of_alerts() -> None:
    """No runbook is left of an alert that no longer exists."""
    assert set(re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.M)) == set(ALERTS)
