"""Any object gives a valid page of its health."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from telegen.api.decoding import event_decoder
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.health.aggregates import KIND_HEALTH, aggregate
from telegen.kubestate.health.conditions import good_status
from telegen.kubestate.health.schema import Schema, schemas
from telegen.kubestate.health.status import STATUSES, SUMMARIES, examine
from telegen.kubestate.health.table import health_resource
from telegen.kubestate.health.tally import Tally, sums
from telegen.metrics.render import renderer
from tests.kubestate.parity import repeated

RESOURCE = health_resource(Kind("g.example", "v1", "things", "Thing", True), Schema(replicas=("spec.size", "status.size")))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
WORDS = st.sampled_from(["True", "False", "Unknown", "Ready", "Failed", "Pending", "2026-03-01T10:00:00Z", "9999-99-99T99:99:99Z"])
VALUES = st.recursive(SCALARS | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3))
TYPES = st.sampled_from([*SUMMARIES, "Degraded", "Stalled", "Reconciling", "NotReady", "Progressing"]) | VALUES
CONDITION = st.fixed_dictionaries(
    {}, optional={"type": TYPES, "status": VALUES, "reason": VALUES, "lastTransitionTime": VALUES, "observedGeneration": VALUES}
)
STATUS = VALUES | st.fixed_dictionaries(
    {},
    optional={
        "conditions": VALUES | st.lists(CONDITION | VALUES, max_size=6), "observedGeneration": VALUES, "phase": VALUES, "state": VALUES,
        "health": VALUES, "size": VALUES,
    },
)  # fmt: skip
SPEC = VALUES | st.fixed_dictionaries({}, optional={"paused": VALUES, "suspend": VALUES, "size": VALUES})
METADATA = st.fixed_dictionaries({}, optional={"generation": VALUES, "creationTimestamp": VALUES, "deletionTimestamp": VALUES})


@settings(max_examples=300)
@given(METADATA, SPEC, STATUS)
def test_any_object(metadata: Any, spec: Any, status: Any) -> None:
    """Any object has one of the statuses and a page that a parser reads, of the object and of its kind, without repeated series and
    without a failed family; decoding only what the table reads changes nothing."""
    obj = {"metadata": {**metadata, "name": "x", "namespace": "n", "uid": "u"}, "spec": spec, "status": status}
    health = examine(obj)
    assert health.status in STATUSES
    tally = Tally()
    tally.take("u", obj, health)
    page = render(RESOURCE, obj) + render(KIND_HEALTH, aggregate("g.example", "Thing", sums([tally.totals()]), False))
    for family in text_string_to_metric_families(page):
        assert family.samples is not None
    assert repeated(page) == []
    _, reduced = event_decoder(RESOURCE.needs)(json.dumps({"type": "ADDED", "object": obj}).encode())
    assert render(RESOURCE, json.loads(json.dumps(obj))) == render(RESOURCE, reduced)


def render(resource: Any, obj: Any) -> str:
    errors: list[Any] = []
    texts = renderer(resource.identity, resource.families, lambda *error: errors.append(error))(obj)
    assert not errors
    return "".join(f"{family.header().decode()}{text}" for family, text in zip(resource.families, texts))


@given(TYPES)
def test_any_type(type_: Any) -> None:
    """A type, and the type with Not in front of it, never have the same good status."""
    if isinstance(type_, str) and type_[:1].isupper():
        assert good_status(type_) != good_status(f"Not{type_}") or not good_status(type_)


@given(VALUES, VALUES)
def test_any_schema(root: Any, scale: Any) -> None:
    """Any schema of a definition is read; one that is unreadable hides nothing."""
    version = {"name": "v1", "served": True, "schema": {"openAPIV3Schema": root}, "subresources": {"scale": scale}}
    ((name, schema),) = schemas({"spec": {"versions": [version]}})
    assert name == "v1" and isinstance(schema, Schema)
