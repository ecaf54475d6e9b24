"""The dashboards: form, layout, and queries that can have data. tests/cluster evaluates the queries."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from telegen.cli.metrics_reference import tables
from tests.cluster.prometheus import promtool
from tests.docs.test_docs import own_metrics
from tests.k8s.dashboard_queries import dashboards, queries
from tests.k8s.dashboards import COLUMNS, SOURCE, TARGET, made
from tests.k8s.rule_files import rules

DASHBOARDS = dashboards()
UNITS = {"short", "percentunit", "bytes", "Bps", "ops", "pps", "s", "suffix: cores"}
"""Units of the panels, as Grafana spells them."""
OF_A_SCRAPE = {"up", "scrape_duration_seconds"}
"""Series that Prometheus makes for each target."""


def panels(name: str) -> list[dict[str, Any]]:
    """Return the panels of a dashboard without its rows."""
    return [panel for panel in DASHBOARDS[name]["panels"] if panel["type"] != "row"]


def test_the_dashboards_follow_their_descriptions() -> None:
    """The component has exactly the files that the descriptions give."""
    assert {path.name: path.read_text() for path in TARGET.iterdir()} == made(), "run `python -m tests.k8s.dashboards`"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_form(name: str) -> None:
    """A dashboard has a stable uid and no id; each panel has a title, a longer description, a known unit and the chosen data source."""
    one = DASHBOARDS[name]
    assert one["uid"] == f"telegen-{name}" and len(one["uid"]) <= 40 and "id" not in one and 39 <= one["schemaVersion"] <= 41
    assert [variable["name"] for variable in one["templating"]["list"]][:2] == ["datasource", "cluster"]
    for panel in panels(name):
        assert panel["title"] and len(panel["description"]) > len(panel["title"]) and panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["targets"] and all(target["datasource"] == SOURCE for target in panel["targets"])
    assert (TARGET / f"{name}.json").stat().st_size < 1 << 20


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_two_panels_overlap(name: str) -> None:
    """Each cell of the grid belongs to one panel at most, and none is beyond the last column."""
    cells = [
        (left, top)
        for at in (panel["gridPos"] for panel in DASHBOARDS[name]["panels"])
        for left, top in itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"]))
    ]
    assert len(cells) == len(set(cells)) and max(left for left, _ in cells) < COLUMNS


@pytest.mark.parametrize("name", DASHBOARDS)
def test_rates_fit_the_interval_of_scrapes(name: str) -> None:
    """Rates are taken over $__rate_interval, increases over an hour."""
    for target in (target for panel in panels(name) for target in panel["targets"]):
        assert set(re.findall(r"\[(.+?)\]", target["expr"])) <= {"$__rate_interval", "1h"}
        assert len(re.findall(r"\brate\(", target["expr"])) == target["expr"].count("[$__rate_interval]")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_families_exist(name: str) -> None:
    """Every family in a query is one of the agent's, and every other series a rule records."""
    known = own_metrics() | {family.name for table in tables() for family in table.families}
    known |= {f"telegen_scrape_duration_seconds_{end}" for end in ("sum", "count")}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for query in queries(DASHBOARDS[name]):
        named = re.findall(r"\b([a-z_]+(?::[a-z_]+)*)\{", query.text)
        assert {one for one in named if ":" in one} <= recorded, query
        assert {one for one in named if ":" not in one} <= known | OF_A_SCRAPE, query
        assert set(re.findall(r"telegen:[a-z_]+:[a-z]+", query.text)) <= recorded, query


@pytest.mark.prometheus
def test_queries_can_be_parsed(tmp_path: Path) -> None:
    """promtool parses every query."""
    texts = [query.text for one in DASHBOARDS.values() for query in queries(one)]
    recorded = [{"record": f"query:{number}", "expr": text} for number, text in enumerate(texts)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": recorded}]}))
    assert "SUCCESS" in promtool("check", "rules", tmp_path / "queries.yaml")
