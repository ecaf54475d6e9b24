"""Queries of the dashboards with a value for every variable."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.cluster.expressions import INTERVALS, Expression
from tests.k8s.dashboards import TARGET, described

Dashboards = Mapping[str, dict[str, Any]]


def dashboards() -> Dashboards:
    """Return the dashboards by name, as they are checked in."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(TARGET.glob("*.json"))}


def queries(dashboard: Mapping[str, Any]) -> Iterator[Expression]:
    """Yield each query of the panels and of the variables; every variable selects all."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Expression(f"{dashboard['title']}: {panel['title']}", filled(target["expr"]))
    for variable in dashboard["templating"]["list"]:
        found = re.fullmatch(r"label_values\((.+), \w+\)", variable.get("definition", ""))
        if found:
            yield Expression(f"{dashboard['title']}: ${variable['name']}", filled(found[1]))


def filled(expression: str) -> str:
    """Return an expression with values for the variables."""
    for variable, value in INTERVALS.items():
        expression = expression.replace(variable, value)
    return re.sub(r"\$[a-z]+", ".*", expression)


def optional() -> set[str]:
    """Return the names of the panels that have data with another configuration only, as `queries` names them."""
    rows = ((one["title"], row) for one in described().values() for row in one["rows"])
    return {f"{title}: {panel['title']}" for title, row in rows if "needs" in row for panel in row["panels"]}
