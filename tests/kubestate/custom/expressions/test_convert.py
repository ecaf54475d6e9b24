"""Configurations of kube-state-metrics, converted: the pages are equal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from telegen.cli.main import main
from telegen.kubestate.custom.expressions.conflicts import conflicts
from telegen.kubestate.custom.expressions.convert import convert
from telegen.kubestate.custom.expressions.path_texts import read_path, write_path
from telegen.kubestate.custom.expressions.reading import read_metrics
from telegen.kubestate.custom.kinds import Configured
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.custom.reading import read_entries
from telegen.metrics.render import renderer
from tests.kubestate.custom.drawn import BODIES, configurations
from tests.kubestate.custom.test_cases import CASES

GROUP = "g.example"
KINDS = [Kind(GROUP, version, f"{name}s", name.title(), True) for name in ("thing", "other") for version in ("v1", "v1beta1")]
ENTRY = "spec: {resources: [{groupVersionKind: {group: g.example, version: v1, kind: Thing}, %s}]}"
GAUGE = ENTRY % "%s, metrics: [{name: n, each: {type: gauge, gauge: {%s}}}]"


def converted(text: str) -> str:
    """Return the converted text; it has no conflicts."""
    made = "".join(f"{line}\n" for line in convert(text.encode(), "f.yaml"))
    assert list(conflicts(read_metrics(made.encode(), "made").entries)) == []
    return made


def pages(configured: Configured, objects: list[dict[str, Any]]) -> list[str]:
    """Return the text of each family for objects of every kind, in the order of the page."""
    found = []
    for kind, selected in configured.select(KINDS).items():
        for resource in selected.resources(kind, {"cluster": "c"}):
            render = renderer(resource.identity, resource.families, lambda *error: pytest.fail(str(error)))
            texts = [render(obj) for obj in objects]
            found += [f"{family.header()}{text}" for family, column in zip(resource.families, zip(*texts)) for text in column]
    return found


def assert_equal_pages(text: str, objects: list[dict[str, Any]]) -> None:
    """Compare the pages of a configuration and of its conversion, byte by byte."""
    made = converted(text)
    by_entries = pages(Configured(read_entries(text.encode(), "f").entries), objects)
    assert pages(Configured(metrics=read_metrics(made.encode(), "made").entries), objects) == by_entries


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_recorded_cases(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`telegen custom convert` gives a file with the page of the original, byte by byte, in both formats."""
    assert main(["custom", "convert", str(case / "config.yaml")]) == 0
    made = tmp_path / "made.yaml"
    made.write_text(capsys.readouterr().out)
    for option in ((), ("--openmetrics",)):
        read = []
        for file in (case / "config.yaml", made):
            assert main(["custom", "render", *option, str(file), str(case / "objects.json")]) == 0
            read.append(capsys.readouterr().out)
        assert read[0] == read[1] and read[0]


OBJECTS = st.lists(
    st.builds(lambda spec: {"metadata": {"name": "x", "namespace": "n", "labels": {"app": "web"}}, "spec": spec, "status": spec}, BODIES),
    min_size=1,
    max_size=3,
)
PATTERNS = st.fixed_dictionaries(
    {"group": st.just(GROUP)},
    optional={"version": st.sampled_from(["v1", "v1beta1", "*"]), "kind": st.sampled_from(["Thing", "Other", "*"])},
)


@settings(max_examples=150, deadline=None)
@given(configurations(GROUP, "Thing", 8), OBJECTS)
def test_drawn_configurations(configuration: dict[str, Any], objects: list[dict[str, Any]]) -> None:
    """Drawn configurations and objects have equal pages."""
    assert_equal_pages(json.dumps(configuration), objects)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(PATTERNS, configurations(GROUP, "Thing", 1)), min_size=1, max_size=4), OBJECTS)
def test_drawn_kinds(entries: list[Any], objects: list[dict[str, Any]]) -> None:
    """Of entries with stars that meet for some kinds, the later one is shown for these, as in the original."""
    resources = [{**one["spec"]["resources"][0], "groupVersionKind": pattern} for pattern, one in entries]
    assert_equal_pages(json.dumps({"spec": {"resources": resources}}), objects)


OBJECT = {
    "metadata": {"name": "x", "namespace": "n", "uid": "u", "labels": {"app.kubernetes.io/name": "web", "1st": "a"}},
    "spec": {"n": 3, "size": "1Gi", "off": None, "map": {"a": 1, "b": {"c": 2}}, "list": [{"size": 1073741824, "n": 5}, {"n": 7}]},
    "status": {"phase": "On", "conditions": [{"type": "Ready", "status": "True"}]},
}
PARTICULAR = {
    "labels of the entry, constant and by stars": (
        GAUGE % ("commonLabels: {a: '1.10', b: ~}, labelsFromPath: {'*': [metadata, labels], name: [metadata, name]}", "path: [spec, n]")
    ),
    "no prefix": GAUGE % ("metricNamePrefix: ''", "path: [spec, n]"),
    "a value that is absent": GAUGE % ("metricNamePrefix: a", "path: [spec, off, deeper], nilIsZero: yes"),
    "the object itself": GAUGE % ("metricNamePrefix: a", "path: [], valueFrom: [n], labelsFromPath: {l: [list, '0', n]}"),
    "a condition by the size of an amount": GAUGE % ("metricNamePrefix: a", "path: [spec, list, '[size=1Gi]', n]"),
    "keys that are no names": GAUGE % ("labelsFromPath: {a: [metadata, labels, app.kubernetes.io/name]}", "path: [spec, n]"),
    "a map, its keys and its values": GAUGE % ("metricNamePrefix: a", "path: [spec, map], labelFromKey: key, valueFrom: [c]"),
    "a segment with brackets, dots and quotes": GAUGE % ("metricNamePrefix: a", "path: [spec, 'a[0].b', '\"', '=', '']"),
    "levels of the log": GAUGE % ("errorLogV: 5", "path: [spec, n]"),
    "two metrics with one name": ENTRY % (
        "metrics: [{name: n, each: {type: Gauge, gauge: {path: [spec, n]}}}, "
        "{name: n, each: {type: StateSet, stateSet: {path: [status, phase], labelName: s, list: ['On', '', ~, 1.0]}}}]"
    ),
    "no metrics": ENTRY % "metrics: []",
    "no resources": "spec: {}",
    "states of conditions": ENTRY % (
        "metrics: [{name: n, help: 'q: \"#'\t, each: {type: stateset, stateSet: {path: [status, conditions], labelsFromPath: {t: [type]}, "
        "valueFrom: [status], labelName: n, list: [True, False]}}}]"
    ),
}


@pytest.mark.parametrize("text", PARTICULAR.values(), ids=list(PARTICULAR))
def test_particular_configurations(text: str) -> None:
    """Each part of the original format has an equal page in this one."""
    assert_equal_pages(text, [OBJECT])


def test_config_map() -> None:
    """The file in a ConfigMap is converted as the file itself."""
    text = GAUGE % ("metricNamePrefix: a", "path: [spec, n]")
    wrapped = yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "data": {"config.yaml": text}})
    assert converted(wrapped) == converted(text)


def test_short_and_commented() -> None:
    """The text is short: paths are texts, shared labels stand once, and there is a comment for each thing without an equivalent."""
    text = (
        "spec: {resources: [{groupVersionKind: {group: g.example, kind: Thing, version: v1}, metricNamePrefix: a, metrics: []},"
        "{groupVersionKind: {group: g.example, kind: Thing}, metricNamePrefix: a, errorLogV: 3, "
        "labelsFromPath: {name: [metadata, name]}, metrics: [{name: n, help: Number., each: {type: Gauge, gauge: {path: [spec, n]}}},"
        "{name: ready, each: {type: gauge, gauge: {path: [status, conditions, '[type=Ready]', status]}}}]}]}"
    )
    assert converted(text).splitlines() == [
        "# Metrics of f.yaml. Beside them, metrics with expressions are possible: value instead of path.",
        "# f.yaml:1: spec.resources[0]: no metrics: nothing is shown",
        "# errorLogV: dropped. A value that is no number gives no sample and no line in the log.",
        "metrics:",
        "# Every served version has series of its own.",
        "- resource: {group: g.example, kind: Thing, everyVersion: true}",
        "  identity: kind",
        "  prefix: a",
        "  labelsFromPath: {name: metadata.name}",
        "  metrics:",
        "  - {name: n, help: Number., path: spec.n}",
        "  - {name: ready, path: 'status.conditions[type=Ready].status'}",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spec:\n  resources:\n  - {metrics: []}", ":3: spec.resources[0]: no groupVersionKind; expected {group: example.com"),
        ("metrics: []", ":1: document: metrics with expressions already; expected spec.resources"),
        ("a: [", "f.yaml:1: "),
    ],
)
def test_refused(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no valid configuration ends with status 2 and the line and the cause of each problem."""
    file = tmp_path / "f.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert main(["custom", "convert", str(file)]) == 2
    assert message in capsys.readouterr().err


def test_not_expressible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A text that is no Unicode is refused, with its line and path."""
    file = tmp_path / "f.yaml"
    file.write_text(GAUGE % ('commonLabels: {a: "\\ud800"}', "path: [spec, n]"))
    assert main(["custom", "convert", str(file)]) == 2
    assert "f.yaml:1: spec.resources[0].commonLabels.a: characters that are not valid Unicode" in capsys.readouterr().err


SEGMENTS = st.text(alphabet="ab.[]=01-_/ ü", max_size=5) | st.sampled_from(["status", "[type=Ready]", "0", "-1", "app.kubernetes.io/name"])


@given(st.lists(SEGMENTS, max_size=4).map(tuple))
def test_any_path(path: tuple[str, ...]) -> None:
    """Any path is written so that it reads as the same one."""
    assert read_path(write_path(path)) == path


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "a b", "a[b", "a]b", "a.[b]", "[a].", "a[0]b"])
def test_malformed_paths(text: str) -> None:
    """A text that is no path is refused."""
    with pytest.raises(ValueError, match="is not a path"):
        read_path(text)
