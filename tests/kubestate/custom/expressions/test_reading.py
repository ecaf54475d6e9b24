"""Configurations with expressions: what is refused, with which message; any configuration works or is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from telegen.config.errors import ConfigError
from telegen.kubestate.custom.cel.errors import EvaluationError, ExpressionError, OutOfSteps
from telegen.kubestate.custom.expressions.aggregates import NOTHING, Aggregates
from telegen.kubestate.custom.expressions.conflicts import conflicts
from telegen.kubestate.custom.expressions.json_schema import schema
from telegen.kubestate.custom.expressions.model import MetricEntry, Selector
from telegen.kubestate.custom.expressions.reading import read_metrics
from telegen.kubestate.custom.expressions.tables import make_aggregates, make_resource
from telegen.kubestate.custom.kinds import SELECTED, Configured, Selected
from telegen.kubestate.custom.model import Kind, version_order
from telegen.kubestate.health.schema import Schema
from telegen.metrics.render import renderer
from tests.kubestate.custom.cel.drawn_expressions import OBJECT, expressions
from tests.kubestate.custom.expressions.test_examples import EXAMPLES
from tests.kubestate.parity import repeated

ENTRY = "metrics: [{resource: {group: g.example, kind: Thing}, %s}]"
METRIC = ENTRY % "metrics: [{%s}]"


def read(text: str) -> tuple[MetricEntry, ...]:
    """Read a configuration with the checks across its entries."""
    entries = read_metrics(text.encode(), "f").entries
    problems = list(conflicts(entries))
    if problems:
        raise ConfigError("\n".join(problems))
    return entries


def test_schema() -> None:
    """The JSON Schema accepts the examples of the documentation, and refuses what has an unknown key or a wrong type."""
    validator = jsonschema.Draft202012Validator(json.loads(json.dumps(schema())))
    for configuration, _, _ in EXAMPLES.values():
        validator.validate(yaml.safe_load(configuration))
    validator.validate(yaml.safe_load(METRIC % "name: a, value: 1, when: true"))
    for wrong in (METRIC % "name: a, valeu: 1", METRIC % "name: a, type: Sum", "metrics: 3", METRIC % "value: 1"):
        assert not validator.is_valid(yaml.safe_load(wrong))


ALL_TYPES = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b_total", "c_info", "d"])},
    optional={
        "type": st.sampled_from(["Gauge", "Counter", "Info", "StateSet", "Count"]),
        "value": expressions(2),
        "when": expressions(2),
        "labels": st.dictionaries(st.sampled_from(["x", "y", "name", "1z"]), expressions(1, ("v",)), max_size=2),
        "labelsFrom": st.lists(st.sampled_from(["metadata.labels", "labelPrefix(status.map, 'p_')", "spec.text"]), max_size=1),
        "forEach": st.lists(st.fixed_dictionaries({"in": expressions(1), "as": st.just("v")}), max_size=2),
        "states": st.lists(st.sampled_from(["Ready", "x"]), max_size=2),
        "map": st.dictionaries(st.sampled_from(["Ready", "3"]), st.integers(0, 3), max_size=1),
        "conditions": st.just("status.conditions"),
        "aggregate": st.sampled_from(["sum", "count", "min", "max"]),
        "by": st.dictionaries(st.sampled_from(["x", "name"]), expressions(1, ("v",)), max_size=2),
        "scale": st.floats(0.1, 10),
    },
)


@settings(max_examples=400, deadline=None)
@given(st.lists(ALL_TYPES, min_size=1, max_size=3))
def test_any_configuration(metrics: list[dict[str, Any]]) -> None:
    """Any configuration is refused with a clear line, or gives a page that a parser reads, without repeated series."""
    try:
        (entry,) = read(json.dumps({"metrics": [{"resource": {"kind": "Thing"}, "metrics": metrics}]}))
    except ConfigError as error:
        assert all(line.startswith(("f:1: metrics[0]", "kube_thing_")) for line in str(error).splitlines())
        return
    resource = make_resource(entry, Kind("", "v1", "things", "Thing", True))
    errors: list[Exception] = []
    render = renderer(resource.identity, resource.families, lambda family, error: errors.append(error))
    page = "".join(f"{family.header().decode()}{text}" for family, text in zip(resource.families, render(OBJECT)))
    page += page_of_groups(entry, errors)
    assert all(isinstance(error, ExpressionError) for error in errors)
    assert list(text_string_to_metric_families(page)) is not None
    assert repeated(page) == []


def page_of_groups(entry: MetricEntry, errors: list[Exception]) -> str:
    """Return the page of the aggregates over one object."""
    table = make_aggregates([entry], Kind("", "v1", "things", "Thing", True))
    if table is None:
        return ""
    aggregates, families = Aggregates(table.aggregates, lambda family, error: errors.append(error)), table.resource.families
    aggregates.change(NOTHING, aggregates.contribution(OBJECT))
    render = renderer((), families, lambda family, error: errors.append(error))
    texts = zip(*map(render, aggregates.objects()))
    return "".join(f"{family.header().decode()}{''.join(text)}" for family, text in zip(families, texts))


KEYS = st.sampled_from("metrics resource kind name value labels forEach in as type".split())


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    )
)
def test_any_document(document: Any) -> None:
    """Any YAML document is read or refused."""
    try:
        read(json.dumps({"metrics": document}))
    except ConfigError as error:
        assert str(error).startswith("f")


def rendered(entry: MetricEntry, obj: dict[str, Any], labels: dict[str, dict[str, str]]) -> str:
    """Return the samples of an object, for known labels of namespaces."""
    resource = make_resource(entry, Kind("g.example", "v1", "things", "Thing", True), {}, lambda name: labels.get(name, {}))
    return "".join(renderer(resource.identity, resource.families, lambda family, error: pytest.fail(str(error)))(obj))


@pytest.mark.parametrize("owners", [None, 3, [], [7], [{"kind": "A", "name": "a"}], [{"controller": "true", "kind": "A"}]])
def test_objects_without_owner(owners: Any) -> None:
    """Labels of an owner are empty, and conditions on it false, unless an owner reference controls the object."""
    (entry,) = read(ENTRY % "ownerLabels: true, metrics: [{name: a, value: 1}, {name: b, value: 1, when: has(owner.kind)}]")
    obj = {"metadata": {"name": "x", "namespace": "n", "ownerReferences": owners}}
    assert rendered(entry, obj, {}) == 'kube_thing_a{namespace="n",name="x",owner_kind="",owner_name=""} 1\n'


def test_names_of_surroundings() -> None:
    """Variables of loops and fields of the object may have the names of the owner and of the labels of namespaces."""
    metrics = "{name: a, value: owner, forEach: [{in: spec.owners, as: owner}]}, {name: b, value: object.owner}"
    (entry,) = read(ENTRY % f"metrics: [{metrics}, {{name: c, value: spec.owner}}, {{name: d, value: size(namespaceLabels)}}]")
    obj = {"metadata": {"name": "x", "namespace": "n"}, "spec": {"owners": [5], "owner": 7}, "owner": 6}
    assert [line.rpartition(" ")[2] for line in rendered(entry, obj, {"n": {"a": "b"}}).splitlines()] == ["5", "6", "7", "1"]


def test_labels_that_metrics_share() -> None:
    """Metrics share the labels of an object, but not those that read an item of their own; each object has its own labels."""
    labels = "labels: {x: spec.x, y: owner}"
    metrics = f"{{name: a, value: 1, {labels}}}, {{name: b, value: v, {labels}, forEach: [{{in: spec.l, as: v, key: owner}}]}}"
    others = f"{{name: c, value: 2, labels: {{x: spec.x}}}}, {{name: d, value: 3, when: spec.x == 'b', {labels}}}"
    (entry,) = read(ENTRY % f"metrics: [{metrics}, {others}]")
    resource = make_resource(entry, Kind("g.example", "v1", "things", "Thing", True))
    errors: list[str] = []
    render = renderer(resource.identity, resource.families, lambda family, error: errors.append(family))
    (_, *first), (_, *second) = (render({"metadata": {"name": x, "namespace": "n"}, "spec": {"x": x, "l": [7, 8]}}) for x in ('a"', "b"))
    identity = 'namespace="n",name="a\\"",x="a\\""'
    assert first == [f'kube_thing_b{{{identity},y="0"}} 7\nkube_thing_b{{{identity},y="1"}} 8\n', f"kube_thing_c{{{identity}}} 2\n", ""]
    identity = 'namespace="n",name="b",x="b"'
    assert second[:2] == [f'kube_thing_b{{{identity},y="0"}} 7\nkube_thing_b{{{identity},y="1"}} 8\n', f"kube_thing_c{{{identity}}} 2\n"]
    # The owner as a whole is no text: a label of it costs the samples that would have it.
    assert errors == ["kube_thing_a", "kube_thing_a", "kube_thing_d"]


def test_samples_without_labels() -> None:
    """Labels of a map may be all labels of a sample, or none."""
    (entry,) = read(ENTRY % "identity: none, metrics: [{name: a, value: 1, labelsFrom: [spec.m]}]")
    assert rendered(entry, {"metadata": {}, "spec": {"m": {"b": "c"}}}, {}) == 'kube_thing_a{b="c"} 1\n'
    assert rendered(entry, {"metadata": {}, "spec": {"m": {}}}, {}) == "kube_thing_a{} 1\n"


HOSTILE = (
    "name: a, value: 1, forEach: [{in: l, as: x}], labels: {b: long}",
    "name: a, value: 1, forEach: [{in: l, as: x}], labels: {b: long, x: x}",
    "name: a, value: x, type: StateSet, states: ['0'], forEach: [{in: l, as: x}], labels: {b: long, x: x}",
    "name: a, type: Count, forEach: [{in: l, as: x}, {in: l, as: y}]",
    "name: a, value: 1, forEach: [{in: l, as: x}, {in: l, as: y}], when: 'false'",
    "name: a, value: 'l.map(x, l.map(y, 1)).size()'",
    "name: a, value: 1, forEach: [{in: l, as: x}], labelsFrom: [m]",
    "name: a, value: size(m), labels: {b: l}",
)


@pytest.mark.parametrize("metric", HOSTILE)
def test_hostile_objects(metric: str) -> None:
    """A family that would take long for an object, or whose label is a list, is left out of it; the other families stay."""
    (entry,) = read(METRIC % f"{metric}}}, {{name: other, value: size(l)")
    resource = make_resource(entry, Kind("g.example", "v1", "things", "Thing", True))
    errors: list[Exception] = []
    render = renderer(resource.identity, resource.families, lambda family, error: errors.append(error))
    metadata = {"name": "x", "namespace": "n"}
    obj = {"metadata": metadata, "l": list(range(3000)), "m": {str(number): "a" for number in range(3000)}, "long": "x" * 99_000}
    assert render(obj) == ["", 'kube_thing_other{namespace="n",name="x"} 3000\n']
    assert [type(error) for error in errors] == [OutOfSteps if metric is not HOSTILE[-1] else EvaluationError]


def test_versions() -> None:
    """Without a version the newest served one is read, as Kubernetes orders them; of a list the first that is served."""
    versions = ["v1alpha1", "v1", "v10", "v2", "v1beta2", "v2beta1", "foo1"]
    assert sorted(versions, key=version_order) == ["v10", "v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "foo1"]
    served = [Kind("g.example", version, "things", "Thing", True) for version in versions]
    for given_, expected in (("''", "v10"), ("'*'", "v10"), ("v1", "v1"), ("[v3, v1beta2]", "v1beta2"), ("v3", None)):
        (entry,) = read(f"metrics: [{{resource: {{group: g.example, kind: Thing, version: {given_}}}, metrics: [{{name: a, value: 1}}]}}]")
        found = Configured(metrics=[entry]).select(served)
        assert [kind.version for kind in found] == ([expected] if expected else [])


def test_version_that_is_left_out() -> None:
    """A version that `without` names is not the newest one: the next one is read."""
    served = [Kind("g.example", version, "things", "Thing", True) for version in ("v1", "v2")]
    (entry,) = read("metrics: [{resource: {group: g.example, kind: Thing, without: [{version: v2}]}, metrics: [{name: a, value: 1}]}]")
    assert [kind.version for kind in Configured(metrics=[entry]).select(served)] == ["v1"]


def test_selectors() -> None:
    """Entries of one kind need one selector; tables for all objects have a watch of their own."""
    one, other = (ENTRY % f"selector: {{labels: 'app={name}'}}, metrics: [{{name: {name}, value: 1}}]" for name in ("a", "b"))
    (problem,) = conflicts((*read(one), *read(other)))
    assert problem == (
        "f:1: metrics[0]: g.example/Thing has another selector at f:1: metrics[0]; give all entries of a kind the same one"
    )
    (selected,) = Configured(metrics=read(one)).select([Kind("g.example", "v1", "things", "Thing", True)]).values()
    assert selected.selector.params == {"labelSelector": "app=a"}
    assert selected.parts() == {SELECTED: selected}
    health = replace(selected, health=Schema()).parts()
    assert health == {"": Selected(health=Schema()), SELECTED: selected} and health[""].selector == Selector()
