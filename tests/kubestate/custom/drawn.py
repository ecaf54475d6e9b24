"""Strategies for configurations of custom resources and for objects, over one vocabulary: most paths lead somewhere."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

KEYS = ("alpha", "beta", "gamma", "delta", "on", "type", "name", "with-dash", "with.dot")
"""Keys of maps. No two of them become the same label name: kube-state-metrics would take one of them at random."""
TEXTS = (
    *("True", "False", "Unknown", "yes", "Ready", "", "x y", 'q"\\', "ü"),
    *("250m", "1Gi", "0.3", "50%", "2026-01-02T03:04:05Z", "1e3", "0x1p-2"),
)
NUMBERS = st.integers(-3, 2000) | st.sampled_from([0.5, 1234567.5, 1e21, -0.25, 1e-7])
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
CONDITIONS = st.lists(st.fixed_dictionaries({"type": st.sampled_from(TEXTS), "on": SCALARS}, optional={"name": SCALARS}), max_size=4)
BODIES = st.dictionaries(st.sampled_from(KEYS), VALUES | CONDITIONS, min_size=3, max_size=7)
SEGMENTS = st.sampled_from([*KEYS, "0", "-1", "1", "type=Ready", "[type=Ready]", "[on=true]", "[on=1]", "[name=]", "absent"])
PATHS = st.lists(SEGMENTS, max_size=3).map(lambda rest: ["spec", *rest])
INNER = st.lists(SEGMENTS, max_size=2)
LABELS = st.dictionaries(st.sampled_from(["one", "two", "name", "un-clean", "*", "star_*"]), INNER, max_size=3)
OBJECT_LABELS = st.dictionaries(st.sampled_from(["three", "four", "obj_*"]), PATHS | st.just(["metadata", "labels"]), max_size=2)


@st.composite
def metrics(draw: Any, number: int) -> dict[str, Any]:
    """Draw a metric with a name of its own."""
    type_ = draw(st.sampled_from(["Gauge", "Gauge", "StateSet", "Info"]))
    body: dict[str, Any] = {"path": draw(PATHS), "labelsFromPath": draw(LABELS)}
    if type_ == "Gauge":
        body |= draw(st.fixed_dictionaries({}, optional={"valueFrom": INNER, "labelFromKey": st.just("key"), "nilIsZero": st.booleans()}))
    elif type_ == "StateSet":
        body |= {"labelName": "state", "list": draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4))}
        body |= draw(st.fixed_dictionaries({}, optional={"valueFrom": INNER}))
    else:
        body |= draw(st.fixed_dictionaries({}, optional={"labelFromKey": st.just("key")}))
    key = {"Gauge": "gauge", "StateSet": "stateSet", "Info": "info"}[type_]
    name = f"m{number}_info" if type_ == "Info" else f"m{number}"
    common = draw(st.dictionaries(st.sampled_from(["common", "customresource_kind"]), st.sampled_from(["a", "1.10", "~"]), max_size=1))
    return {"name": name, "help": "x", "commonLabels": common, "labelsFromPath": draw(OBJECT_LABELS), "each": {"type": type_, key: body}}


@st.composite
def configurations(draw: Any, group: str, kind: str, size: int = 30) -> dict[str, Any]:
    """Draw a configuration with one entry for a kind."""
    entry = {
        "groupVersionKind": {"group": group, "version": draw(st.sampled_from(["v1", "*"])), "kind": kind},
        "labelsFromPath": {"object": ["metadata", "name"], "namespace": ["metadata", "namespace"]},
        "metrics": [draw(metrics(number)) for number in range(size)],
    }
    entry |= draw(st.fixed_dictionaries({}, optional={"metricNamePrefix": st.sampled_from(["drawn", ""])}))
    return {"kind": "CustomResourceStateMetrics", "spec": {"resources": [entry]}}
