"""Any object gives a valid page, whatever an entry expects of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from telegen.api.decoding import event_decoder
from telegen.kubestate.custom.labels import compile_labels
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.custom.reading import read_entries
from telegen.kubestate.custom.tables import make_resource
from telegen.kubestate.custom.values import _float as read_float
from telegen.kubestate.custom.values import number_of, text_of
from telegen.metrics.render import renderer
from tests.kubestate.custom.test_cases import CASES
from tests.kubestate.parity import repeated

NAMES = "metadata spec status name namespace labels conditions type status phase replicas items a b 1x ü __name__ ::".split()
KEYS = st.sampled_from(NAMES) | st.text(max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.sampled_from(["1Gi", "50%", "True"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
TREE = st.dictionaries(KEYS, VALUES, max_size=5)


def entries_of(case: Path) -> Any:
    return read_entries((case / "config.yaml").read_bytes(), "f").entries


ENTRIES = [entry for case in CASES for entry in entries_of(case)]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ENTRIES), TREE, TREE, TREE)
def test_any_object(entry: Any, spec: Any, status: Any, metadata: Any) -> None:
    """Every entry of the cases renders any object to a page that a parser reads, without repeated series and without a failed family."""
    resource = make_resource(entry, Kind("g.example", "v1", "things", "Thing", True))
    errors: list[Any] = []
    render = renderer(resource.identity, resource.families, lambda *error: errors.append(error))
    obj = {"apiVersion": "g.example/v1", "kind": "Thing", "metadata": {**metadata, "name": "x"}, "spec": spec, "status": status}
    texts = render(obj)
    assert not errors
    page = "".join(f"{family.header().decode()}{text}" for family, text in zip(resource.families, texts))
    for family in text_string_to_metric_families(page):
        assert family.samples is not None
    assert repeated(page) == []


@given(VALUES)
def test_any_value(value: Any) -> None:
    """Any JSON value has a text, and a number or none."""
    assert isinstance(text_of(value), str)
    number = number_of(value)
    assert number is None or isinstance(number, (int, float))


@pytest.mark.parametrize("start", ["", "0x", ".", "1e", "-"])
def test_long_texts(start: str) -> None:
    """A text of a megabyte is no number, and finding that out takes no time that grows with the square of its length."""
    assert number_of(f"{start}{'1' * 1_000_000}z") is None
    assert read_float(f"{start}{'1' * 1_000_000}z") is None
    assert number_of("0" * 1000 + "7") == 7


@pytest.mark.parametrize(
    "gauge",
    [
        "{path: [spec, list], labelsFromPath: {a: [a]}}",
        "{path: [spec, map], labelFromKey: key, labelsFromPath: {'*': []}}",
        "{path: [spec, map], labelFromKey: key, labelsFromPath: {all: []}}",
    ],
)
def test_labels_times_samples(gauge: str) -> None:
    """An object of a megabyte whose long labels are repeated for each of many samples costs one family, counted, and not the worker."""
    text = (
        "spec: {resources: [{groupVersionKind: {group: g.example, kind: Thing}, labelsFromPath: {'*': [metadata, annotations]}, "
        f"metrics: [{{name: many, each: {{type: Gauge, gauge: {gauge}}}}}, "
        "{name: one, each: {type: Gauge, gauge: {path: [spec, n]}}}]}]}"
    )
    (entry,) = read_entries(text.encode(), "f").entries
    errors: list[str] = []
    resource = make_resource(entry, Kind("g.example", "v1", "things", "Thing", True))
    render = renderer((), resource.families, lambda family, error: errors.append(f"{family}: {error}"))
    numbers = [1] * 20_000
    spec = {"n": 1, "list": numbers, "map": {f"key-{place}": 1 for place, _ in enumerate(numbers)}}
    many, one = render({"metadata": {"annotations": {"a": "x" * 500_000}}, "spec": spec})
    assert many == "" and one.endswith("} 1\n")
    assert errors and errors[0].endswith("at most 8 MiB are shown")


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_decoded_paths_suffice(case: Path) -> None:
    """An object reduced to the decoded paths gives the same text as the whole object."""
    entries = {(e.pattern.group, e.pattern.kind): e for e in entries_of(case)}
    for key, listed in json.loads((case / "objects.json").read_text()).items():
        group, version, plural = key.split("/")
        for obj in listed["items"]:
            entry = entries.get((group, obj.get("kind", "")))
            if entry:
                resource = make_resource(entry, Kind(group, version, plural, obj["kind"], True))
                render = renderer((), resource.families, lambda family, error: pytest.fail(f"{family}: {error}"))
                _, reduced = event_decoder(resource.needs)(json.dumps({"type": "ADDED", "object": obj}).encode())
                assert render(obj) == render(reduced)


def test_reserved_labels() -> None:
    """A key of a tenant's map that is a label of Prometheus' own does not replace the name of the metric."""
    labels: dict[str, str] = {}
    add = compile_labels({"*": ("metadata", "labels")})
    assert add
    add({"metadata": {"labels": {"__name__": "up", "::": "a", "_one": "b"}}}, labels)
    assert labels == {"exported__name__": "up", "exported__": "a", "_one": "b"}
