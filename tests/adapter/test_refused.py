"""Rules files that are not valid: the rule, or the file, is refused by one line; all other rules are used."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from telegen.adapter.rules.reading import parse_rules
from telegen.config.errors import ConfigError
from tests.adapter.cluster import HERE

REFUSED = json.loads((HERE / "refused.json").read_text())
GOOD = "- seriesQuery: fine\n  resources: {template: <<.Resource>>}\n  metricsQuery: <<.Series>>\n"
LINE = re.compile(r"rules.yaml:\d+: \S+.*")


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["name"])
def test_recorded_file(case: dict[str, Any]) -> None:
    """A refused rule has a line with file, line number, path and reason, and a rule after it is used."""
    text = case["text"]
    try:
        rules = parse_rules((text + GOOD if text.endswith("\n") and text.startswith("rules:\n") else text).encode(), "rules.yaml")
    except ConfigError as error:
        assert "the file" in case["right"] and LINE.fullmatch(str(error))
        return
    if "is refused" in case["right"] and "or read" not in case["right"]:
        assert len(rules.problems) == 1 and LINE.fullmatch(rules.problems[0])
        assert [rule.series_query for rule in rules.custom] == ["fine"]
    elif "warning" in case["right"]:
        assert not rules.problems and LINE.fullmatch(rules.warnings[0])
    else:
        assert not rules.problems


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("metricsQuery: q", "1: rules[0]: seriesQuery is missing"),
        ("{seriesQuery: a}", "1: rules[0]: metricsQuery is missing"),
        ("just text", "1: rules[0]: expected a map, got the text 'just text'"),
        (
            "{seriesQuery: a, metricsQuery: q, name: {matches: (.*)_x, as: $1_rate}}",
            "1: rules[0].name.as: '$1_rate' names the group '1_rate', which `matches` does not have; write ${1}_rate",
        ),
        (
            "{seriesQuery: a, metricsQuery: q, name: {matches: (a), as: '${1a}'}}",
            "1: rules[0].name.as: '${1a}' names the group '1a', which `matches` does not have",
        ),
        (
            "{seriesQuery: a, metricsQuery: q, name: {matches: (a), as: $01}}",
            "1: rules[0].name.as: '$01' names the group '01', which `matches` does not have",
        ),
        (
            "{seriesQuery: a, metricsQuery: q, name: {matches: (a)(b)}}",
            "1: rules[0].name: `as` is missing: `matches` has 2 groups, and one must be chosen",
        ),
        (
            "{seriesQuery: a, metricsQuery: q, resources: {namespaced: perhaps}}",
            "1: rules[0].resources.namespaced: expected true or false, got 'perhaps'",
        ),
        (
            "{seriesQuery: a, metricsQuery: q, resources: {overrides: {a-b: {resource: pod}}}}",
            "1: rules[0].resources.overrides.a-b: 'a-b' is not the name of a label",
        ),
        (
            "{seriesQuery: a, metricsQuery: q, resources: {overrides: {a: {group: x}}}}",
            "1: rules[0].resources.overrides.a: resource is missing",
        ),
        ("{seriesQuery: a, metricsQuery: '<<range>>'}", "1: rules[0].metricsQuery: an action has no value"),
        ("{seriesQuery: a, metricsQuery: '<<define \"x\">>'}", "1: rules[0].metricsQuery: define is not supported"),
        (
            "{seriesQuery: a, metricsQuery: q, name: {as: a/b}}",
            "1: rules[0].name.as: the name of a metric cannot have a slash: no request could name it",
        ),
    ],
)
def test_line(rule: str, line: str) -> None:
    """The line says what is wrong at which path."""
    assert parse_rules(f"rules: [{rule}]".encode(), "f").problems[0] == f"f:{line}"


def test_problems_outside_rules() -> None:
    """An unknown key at the top, and resource rules without memory, are problems; the rules are used."""
    rules = parse_rules(f"rule: []\nresourceRules: {{window: 5x}}\nrules:\n{GOOD}".encode(), "f")
    assert [problem.split(": ", 2)[1:] for problem in rules.problems] == [
        ["rule", "unknown key; choose from rules, externalRules, resourceRules"],
        ["resourceRules", "cpu is missing"],
    ]
    assert len(rules.custom) == 1
