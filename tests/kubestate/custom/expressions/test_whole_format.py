"""Any configuration in which keys of both forms of metrics meet is refused with a clear line, or gives a valid page."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from telegen.cli.custom_objects import custom_parts
from telegen.cli.render import ObjectRenderer
from telegen.config.errors import ConfigError
from telegen.config.model import KubeState
from telegen.kubestate.custom.expressions.conflicts import conflicts
from telegen.kubestate.custom.sources import CustomTables, read_custom
from telegen.kubestate.selectors import Selection
from tests.kubestate.parity import repeated

GROUP, KINDS = "g.example", ("Thing", "Other")
PATHS = st.sampled_from(["spec.n", "spec.list", "spec.map", "metadata.labels", "status.conditions", "spec.list[0]", []])
VALUES = st.sampled_from(["spec.n", "spec.map.a", "metadata.name", "owner.kind", "namespaceLabels.team", "spec.list.map(x, x).sum()", "1"])
LABELS = st.sampled_from(["x", "y", "state", "cluster", "name", "shard", "customresource_kind", "__name__"])
PATH_LABELS = st.dictionaries(LABELS | st.sampled_from(["*", "z_*"]), PATHS, max_size=2)
VALUE_LABELS = st.dictionaries(LABELS, VALUES, max_size=2)
NAMES = st.sampled_from(["a", "b", "c_info", "d_total"])
BY_PATH = st.fixed_dictionaries(
    {"name": NAMES, "path": PATHS},
    optional={
        "type": st.sampled_from(["Gauge", "Info", "StateSet"]),
        "valueFrom": PATHS,
        "elementLabels": PATH_LABELS,
        "labelsFromPath": PATH_LABELS,
        "labelFromKey": LABELS,
        "states": st.just(["Ready"]),
    },
)
BY_VALUE = st.fixed_dictionaries({"name": NAMES, "value": VALUES}, optional={"labels": VALUE_LABELS, "scale": st.just(2)})
LOOP = st.fixed_dictionaries({"in": st.sampled_from(["spec.list", "spec.map"]), "as": st.sampled_from(["v", "owner"])})
AGGREGATES = st.fixed_dictionaries(
    {"name": NAMES, "value": VALUES, "aggregate": st.sampled_from(["sum", "min", "max"])},
    optional={"by": VALUE_LABELS, "forEach": st.lists(LOOP, max_size=2)},
)
ENTRIES = st.fixed_dictionaries(
    {
        "resource": st.fixed_dictionaries(
            {"group": st.just(GROUP), "kind": st.sampled_from([*KINDS, "*"])},
            optional={"everyVersion": st.booleans(), "without": st.just([{"kind": "Other", "version": "v1"}])},
        ),
        "prefix": st.sampled_from(["p", "q", ""]),
        "metrics": st.lists(BY_PATH | BY_VALUE | AGGREGATES, min_size=1, max_size=2),
    },
    optional={
        "identity": st.sampled_from(["object", "kind", "both", "none"]),
        "namespaceLabels": st.just(["team"]),
        "ownerLabels": st.just(True),
        "commonLabels": st.dictionaries(LABELS, st.just("u"), max_size=1),
        "limits": st.just({"series": 3}),
        "selector": st.sampled_from([{"labels": "app=a"}, {"namespaces": ["shop"]}]),
    },
)


def thing(kind: str, version: str, name: str) -> dict[str, Any]:
    """Return an object with a list, a map and an owner."""
    owners = [{"kind": "A", "name": name, "controller": True}]
    metadata = {"name": name, "namespace": "shop", "labels": {"app": "a", "name": "n", "__name__": "up"}, "ownerReferences": owners}
    status = {"conditions": [{"type": "Ready", "status": "True"}] * 2}
    spec = {"n": 1, "list": [3, 2, 2], "map": {"a": 1, "b": "Ready"}}
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": metadata, "spec": spec, "status": status}


OBJECTS = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "t"}}},
    *(thing(kind, version, name) for kind in KINDS for version in ("v1", "v2") for name in ("x", "y")),
]


@settings(max_examples=200, deadline=None)
@given(st.lists(ENTRIES, min_size=1, max_size=2), st.sampled_from([{}, {"cluster": "east"}]))
def test_any_entries(entries: list[dict[str, Any]], constant: dict[str, str]) -> None:
    """Entries with any keys are refused with a line, or give a page that a parser reads, without repeated series."""
    try:
        read = read_custom(json.dumps({"metrics": entries}).encode(), "f")
    except ConfigError as error:
        assert all(line.startswith("f:1: metrics[") for line in str(error).splitlines())
        return
    if conflicts(read.metrics):
        return
    tables = CustomTables.decode(CustomTables(metrics=read.metrics).encode())
    page = ObjectRenderer([], Selection.of(KubeState()), constant, custom_parts(tables, OBJECTS, {}, constant))
    for obj in OBJECTS:
        page.add(obj)
    page.add_groups(OBJECTS)
    text = "".join(page.lines(False))
    assert list(text_string_to_metric_families(text)) is not None
    assert repeated(text) == []
