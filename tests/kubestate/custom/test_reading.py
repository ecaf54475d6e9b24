"""Configurations that are refused or warned of, each with line, path, cause and cure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegen.config import ConfigError
from telegen.kubestate.custom.reading import read_entries

ENTRY = """
spec:
  resources:
  - groupVersionKind: {group: a.example, version: v1, kind: Foo}
    metrics:
    - {name: ok, help: h, each: {type: Gauge, gauge: {path: [spec, n]}}}
"""
METRIC = "spec: {resources: [{groupVersionKind: {group: a, kind: B}, metrics: [%s]}]}"
AT = "f:1: spec.resources[0].metrics[0]"
REFUSED = [
    ("", "f: the configuration is empty; expected metrics, or spec.resources"),
    ("a: [", "f:1: while parsing a flow node expected the node content, but found '<stream end>'"),
    ("a: 1\na: 2", "f:1: a: the key appears 2 times"),
    ("resources: []", "f:1: document: resources stands outside of spec; indent it below spec:"),
    ("kind: X", "f:1: document: no spec; expected spec.resources"),
    ("spec: {resources: text}", "f:1: spec.resources: expected a list, got the text 'text'; write [a, b] or one item per line"),
    (
        "spec: {resources: [{metrics: []}]}",
        "f:1: spec.resources[0]: no groupVersionKind; expected {group: example.com, version: v1, kind: Foo}",
    ),
    (
        "spec: {resources: [{groupVersionKind: {group: '*', kind: X}}]}",
        "f:1: spec.resources[0].groupVersionKind: group * is not supported; name one group, such as example.com",
    ),
    (
        "spec: {resources: [{groupVersionKind: {kind: X}}]}",
        "f:1: spec.resources[0].groupVersionKind: "
        "no group; name one, such as example.com, or write group: '' for the core group of Kubernetes",
    ),
    (METRIC % "{each: {type: gauge, gauge: {}}}", f"{AT}: no name"),
    (
        METRIC % "{name: bad-name.x, each: {type: gauge, gauge: {}}}",
        f"{AT}.name: 'kube_customresource_bad-name.x' is not a legal name of a metric; use letters, digits and '_'",
    ),
    (METRIC % "{name: x}", f"{AT}: no each; expected each: {{type: Gauge, gauge: {{path: [...]}}}}"),
    (METRIC % "{name: x, each: {}}", f"{AT}.each: no type; choose Gauge, StateSet or Info"),
    (METRIC % "{name: x, each: {type: Counter}}", f"{AT}.each: unknown type 'Counter'; choose Gauge, StateSet or Info"),
    (METRIC % "{name: x, each: {type: Gauge, info: {}}}", f"{AT}.each: type Gauge needs a block gauge"),
    (
        METRIC % "{name: x, each: {type: Gauge, gauge: {path: spec.n}}}",
        f"{AT}.each.gauge.path: expected a list, got the text 'spec.n'; write [a, b] or one item per line",
    ),
    (
        METRIC % "{name: x, each: {type: Gauge, gauge: {path: ['[abc]']}}}",
        f"{AT}.each.gauge.path: [abc]: no condition; write [key=value], or a key or index without brackets",
    ),
    (
        METRIC % "{name: x, each: {type: Gauge, gauge: {nilIsZero: maybe}}}",
        f"{AT}.each.gauge.nilIsZero: expected true or false, got 'maybe'",
    ),
    (METRIC % "{name: x, errorLogV: high, each: {type: Gauge, gauge: {}}}", f"{AT}.errorLogV: expected a whole number, got 'high'"),
    (
        METRIC % "{name: x, commonLabels: {bad-key: a}, each: {type: Gauge, gauge: {}}}",
        f"{AT}.commonLabels.bad-key: 'bad-key' is not a legal name of a label; use letters, digits and '_'",
    ),
    (
        METRIC % "{name: x, labelsFromPath: {9: [a]}, each: {type: Gauge, gauge: {}}}",
        f"{AT}.labelsFromPath.9: '9' is not a legal name of a label; begin with a letter or '_'",
    ),
    (
        METRIC % "{name: x, labelsFromPath: {__name__: [a]}, each: {type: Gauge, gauge: {}}}",
        f"{AT}.labelsFromPath.__name__: '__name__' is the label that has the name of the metric; choose another name",
    ),
    (
        METRIC % "{name: x, each: {type: Gauge, gauge: {labelFromKey: bad-key}}}",
        f"{AT}.each.gauge.labelFromKey: 'bad-key' is not a legal name of a label; use letters, digits and '_'",
    ),
    (
        METRIC % "{name: x, each: {type: StateSet, stateSet: {list: [a]}}}",
        f"{AT}.each.stateSet: no labelName; expected the name of the label that has the state",
    ),
    ("kind: ConfigMap\ndata: {}", "f:1: document: a ConfigMap with 0 files in data; leave the one with the CustomResourceStateMetrics"),
]
WARNED = [
    ("spec: {}", "f:1: spec: no resources: nothing is shown"),
    (METRIC % "", "f:1: spec.resources[0]: no metrics: nothing is shown"),
    (
        METRIC % "{name: x, hlep: y, each: {type: Gauge, gauge: {}}}",
        f"{AT}.hlep: unknown key without effect; choose from name, help, each, commonLabels, labelsFromPath, errorLogV",
    ),
    (METRIC % "{name: x, each: {type: Gauge, gauge: {}, info: {}}}", f"{AT}.each.info: without effect beside type Gauge"),
    (METRIC % "{name: x, each: {type: Info, info: {labelsFromPath: {a: [b]}}}}", f"{AT}: x: the name of an info should end in _info"),
    (METRIC % "{name: x_info, each: {type: Info, info: {}}}", f"{AT}.each.info: no labelsFromPath and no labelFromKey: nothing is shown"),
    (METRIC % "{name: x, each: {type: StateSet, stateSet: {labelName: a}}}", f"{AT}.each.stateSet: no list: nothing is shown"),
    (
        METRIC % "{name: x, commonLabels: {null: a}, each: {type: Gauge, gauge: {}}}",
        f"{AT}.commonLabels: null as a key has no effect; write it in quotes if it is a name",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refused(text: str, message: str) -> None:
    """A configuration with a mistake is refused by one line."""
    with pytest.raises(ConfigError) as raised:
        read_entries(text.encode(), "f")
    assert str(raised.value) == message


@pytest.mark.parametrize(("text", "message"), WARNED, ids=range(len(WARNED)))
def test_warned(text: str, message: str) -> None:
    """A configuration whose mistake costs nothing else is accepted with a warning."""
    assert message in read_entries(text.encode(), "f").warnings


def test_null_as_a_key() -> None:
    """The key null names no label, as in kube-state-metrics; in quotes it does."""
    for key, labels in (("null", {}), ("~", {}), ("'null'", {"null": "a"})):
        metric = f"{{name: x, commonLabels: {{{key}: a}}, each: {{type: Gauge, gauge: {{}}}}}}"
        (entry,) = read_entries((METRIC % metric).encode(), "f").entries
        assert entry.families[0].common_labels == labels


ROUTE = "spec: {resources: [{groupVersionKind: {group: route.openshift.io, kind: Route}, metrics: [%s]}]}"
GAUGE = "{name: x, %seach: {type: Gauge, gauge: {path: [%s]}}}"


@pytest.mark.parametrize("path", ["", "spec", "spec, tls", "spec, tls, key", "spec, tls, certificate"])
def test_no_key_of_a_route(path: str) -> None:
    """A path of a route that could show its private key is refused, as a value and as a label."""
    for metric in (GAUGE % ("", path), GAUGE % (f"labelsFromPath: {{a: [{path}]}}, ", "status")):
        with pytest.raises(ConfigError, match="reaches spec.tls, which has the private key of a route"):
            read_entries((ROUTE % metric).encode(), "f")


@pytest.mark.parametrize("kind", ["kind: Secret", "kind: '*'", "version: v1"])
@pytest.mark.parametrize("path", ["", "data", "data, password", "data, a=b"])
def test_no_value_of_a_secret(kind: str, path: str) -> None:
    """A path that could show a value of a Secret is refused, also in an entry for all kinds of the core group."""
    secret = f"spec: {{resources: [{{groupVersionKind: {{group: '', {kind}}}, metrics: [%s]}}]}}"
    for metric in (GAUGE % ("", path), GAUGE % (f"labelsFromPath: {{a: [{path}]}}, ", "type")):
        with pytest.raises(ConfigError, match="reaches data, which has the values of a Secret"):
            read_entries((secret % metric).encode(), "f")
    other = f"spec: {{resources: [{{groupVersionKind: {{group: '', kind: ConfigMap}}, metrics: [{GAUGE % ('', path)}]}}]}}"
    assert read_entries((secret % (GAUGE % ("", "metadata, generation"))).encode(), "f").entries
    assert read_entries(other.encode(), "f").entries


@pytest.mark.parametrize("path", ["spec, host", "spec, tls, termination", "status", "metadata, name"])
def test_other_fields_of_a_route(path: str) -> None:
    """Other paths of a route are accepted."""
    assert read_entries((ROUTE % (GAUGE % ("", path))).encode(), "f").entries


def test_every_problem_is_named() -> None:
    """All problems of a configuration are listed, each with its own line."""
    text = METRIC % "{name: a-b, each: {type: X}}, {name: c, help: [d]}"
    with pytest.raises(ConfigError) as raised:
        read_entries(text.replace(", {name: c", ",\n{name: c").encode(), "f")
    assert [line.split(": ")[0] for line in str(raised.value).splitlines()] == ["f:1", "f:1", "f:2", "f:2"]


def test_config_map() -> None:
    """The entries of a ConfigMap that contains the file are those of the file."""
    indented = ENTRY.replace("\n", "\n    ")
    wrapped = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  config.yaml: |{indented}"
    assert read_entries(wrapped.encode(), "f").entries == read_entries(ENTRY.encode(), "f").entries


WORDS = st.sampled_from(
    "spec resources groupVersionKind group version kind metrics name help each type gauge Gauge info stateSet path valueFrom list "
    "labelName labelFromKey labelsFromPath commonLabels nilIsZero true null * a* [a=b] -1 v1".split()
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_any_configuration(metric: Any, each: Any, body: Any) -> None:
    """Any configuration is read, or refused by lines that name file and line; nothing else is raised."""
    for document in (
        metric,
        {"spec": {"resources": [metric]}},
        {"spec": {"resources": [{"groupVersionKind": {"group": "a", "kind": "B"}, "metrics": [metric, {"name": "x", "each": each}]}]}},
        {"spec": {"resources": [{"groupVersionKind": each, "metrics": [{"name": "x", "each": {"type": "Gauge", "gauge": body}}]}]}},
    ):
        try:
            read_entries(json.dumps(document).encode(), "f")
        except ConfigError as error:
            assert all(line.startswith("f:") for line in str(error).splitlines())
