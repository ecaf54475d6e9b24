"""Any object that the API's own schema allows, of any resource: nothing fails, and the exposition is valid."""

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
from tests.kubestate.schema_objects import Mood, draw

EVERYTHING = Selection(opt_in=[".*"], labels={"*": ["*"]}, annotations={"*": ["*"]})
SAMPLE = re.compile(r"([a-z][a-z0-9_]*)\{(.+)\} (\S+)", re.DOTALL)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)', re.ASCII)
EXAMPLES = 60

moods = st.builds(
    Mood, st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 0.7, 0.95, 1.0]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 4)
)


def page_of(resource: str, obj: dict[str, Any]) -> ObjectRenderer:
    """The page of one object, everything on."""
    page = ObjectRenderer([RESOURCES[resource]], EVERYTHING)
    page.add(obj)
    return page


def check_lines(text: str) -> None:
    """Each line is a sample as the format wants it, no label and no series stands twice."""
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


@pytest.mark.parametrize("resource", list(RESOURCES))
def test_any_valid_object(resource: str) -> None:
    """No family raises, the object is left as it was, and strict parsers take the page in both formats."""
    table = RESOURCES[resource]

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
    @given(moods)
    def holds(mood: Mood) -> None:
        obj = draw(resource, table.api_version, table.kind, mood)
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


@pytest.mark.parametrize("resource", list(RESOURCES))
def test_every_family_is_reached(resource: str) -> None:
    """The objects that are drawn make every family of the table speak: no test above is empty."""
    table = RESOURCES[resource]
    silent = {family.name for family in table.families}
    for seed in range(10 * EXAMPLES):
        page = page_of(resource, draw(resource, table.api_version, table.kind, Mood(seed, 0.9, 0.2, 4)))
        silent -= {line.partition("{")[0] for line in "".join(page.lines(False)).split("\n") if line.startswith("kube_")}
        if not silent:
            break
    assert not silent
