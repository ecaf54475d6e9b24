"""Choice of documents by the Accept header, and the versions of metrics.k8s.io."""

from __future__ import annotations

import json

import pytest

from telegen.adapter.agents.usage import PodUsage
from telegen.adapter.apis.discovery_documents import AGGREGATED, accepted_form
from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.adapter.apis.tables import MEDIA_TYPE, table, wants_table
from telegen.adapter.rules.reading import read_rules
from tests.adapter.cluster import HERE, adapter, object_server
from tests.adapter.comparison import decoded
from tests.adapter.replay import Recording, replayed


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", ""),
        ("*/*", ""),
        ("application/json, */*", ""),
        (f"{AGGREGATED.format('v2')},{AGGREGATED.format('v2beta1')},application/json", "v2"),
        (f"{AGGREGATED.format('v2beta1')},application/json", "v2beta1"),
        ("application/json; g=apidiscovery.k8s.io; v=v2; as=APIGroupDiscoveryList", "v2"),
        (f"application/json,{AGGREGATED.format('v2')}", ""),
        (f"{AGGREGATED.format('v9')},application/json", ""),
        ("application/json;g=other;v=v2;as=APIGroupDiscoveryList", ""),
    ],
)
def test_form_of_discovery(accept: str, form: str) -> None:
    """The aggregated document is sent only in a version that the client asks for before plain JSON."""
    assert accepted_form(accept) == form


@pytest.mark.parametrize(
    ("accept", "is_table"),
    [
        (f"{MEDIA_TYPE},application/json", True),
        (f"{MEDIA_TYPE.replace(';', '; ')}, application/json", True),
        ("application/vnd.kubernetes.protobuf, */*", False),
        (f"application/json,{MEDIA_TYPE}", False),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", False),
        ("", False),
    ],
)
def test_form_of_lists(accept: str, is_table: bool) -> None:
    """A Table is sent only if it is the preferred form of JSON."""
    assert wants_table(accept) == is_table


def test_table_of_odd_quantities() -> None:
    """Cells of a pod are the sums of its containers, in any unit."""
    rows = [[2000.0, 1 << 20], [0.001, 7]]
    row = table([PodUsage("shop", "x", "n1", b"{}", 0.0, 10.0, ("cpu", "memory"), (), ("a", "b"), rows, ())], "")["rows"][0]
    assert row["cells"] == ["x", "2000001m", "1048583", "10s"]


def test_both_versions() -> None:
    """v1 of metrics.k8s.io has the documents of v1beta1."""
    recording = Recording(json.loads((HERE / "cases/resource-gauges.json").read_text()))
    with replayed(recording) as prometheus, object_server() as cluster:
        _, backend = adapter(read_rules(str(HERE / "cases/resource-gauges.yaml")), [prometheus], cluster)
        apis = MetricsApis(backend)
        paths = [f"/apis/metrics.k8s.io/{version}/namespaces/data/pods" for version in ("v1", "v1beta1")]
        lists = [decoded(apis.answer(path, {}).document) for path in paths]
        watched = apis.answer("/apis/metrics.k8s.io/v1/namespaces/data/pods", {"watch": "true"})
    assert [document["apiVersion"] for document in lists] == ["metrics.k8s.io/v1", "metrics.k8s.io/v1beta1"]
    assert [item["containers"] for item in lists[0]["items"]] == [item["containers"] for item in lists[1]["items"]] != []
    assert (watched.status, watched.document["reason"]) == (405, "MethodNotAllowed")
