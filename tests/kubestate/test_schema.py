"""Random objects that the schema of the API allows, of every resource: no family fails and the exposition is valid."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telegen.cli.render import ObjectRenderer
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.selectors import Selection
from tests.kubestate.fixtures import COMPLETE
from tests.kubestate.schema_objects import Variation, random_object

EVERYTHING = Selection(opt_in=[".*"], labels={"*": ["*"]}, annotations={"*": ["*"]})
SAMPLE = re.compile(r"([a-z][a-z0-9_]*)\{(.+)\} (\S+)", re.DOTALL)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)', re.ASCII)
EXAMPLES = 60

variations = st.builds(
    Variation, st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 0.7, 0.95, 1.0]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 4)
)


def page_of(resource: str, obj: dict[str, Any]) -> ObjectRenderer:
    """Return the page of one object with all families, labels and annotations."""
    page = ObjectRenderer([RESOURCES[resource]], EVERYTHING)
    page.add(obj)
    return page


def check_lines(text: str) -> None:
    """Check that each line is a valid sample and that no label and no series is repeated."""
    seen = set()
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        labels = LABEL.findall(found[2])
        assert "".join(f'{name}="{value}"{comma}' for name, value, comma in labels) == found[2], line
        names = [name for name, _, _ in labels]
        assert len(set(names)) == len(names), line
        series = found[1], tuple(sorted((name, value) for name, value, _ in labels))
        assert series not in seen, line
        seen.add(series)
        float(found[3])


@pytest.mark.parametrize("resource", COMPLETE)
def test_any_valid_object(resource: str) -> None:
    """No family raises, the object is not modified, and strict parsers accept the page in both formats."""
    table = RESOURCES[resource]

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
    @given(variations)
    def holds(variation: Variation) -> None:
        obj = random_object(resource, table.api_version, table.kind, variation)
        before = json.dumps(obj)
        page = page_of(resource, obj)
        assert not page.errors, {family: before for family in page.errors}
        assert json.dumps(obj) == before
        text = "".join(page.lines(False))
        check_lines(text)
        wanted = sum(not line.startswith("#") for line in text.split("\n")[:-1])
        assert sum(len(family.samples) for family in parse_text(text)) == wanted
        assert sum(len(family.samples) for family in parse_openmetrics("".join(page.lines(True)))) == wanted

    holds()


@pytest.mark.parametrize("resource", COMPLETE)
def test_every_family_is_reached(resource: str) -> None:
    """Every family of the table has samples for some random object, so the test above covers it."""
    table = RESOURCES[resource]
    unseen = {family.name for family in table.families}
    for seed in range(10 * EXAMPLES):
        page = page_of(resource, random_object(resource, table.api_version, table.kind, Variation(seed, 0.9, 0.2, 4)))
        unseen -= {line.partition("{")[0] for line in "".join(page.lines(False)).split("\n") if line.startswith("kube_")}
        if not unseen:
            break
    assert not unseen, f"{resource}: no random object has samples of {sorted(unseen)}; add values to tests/kubestate/schema_objects.py"
