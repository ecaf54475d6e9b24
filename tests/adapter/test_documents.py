"""Choice of documents by the Accept header, and the versions of metrics.k8s.io."""

from __future__ import annotations

import json

import pytest

from telegen.adapter.agents.usage import PodUsage
from telegen.adapter.apis.answers import StatusError
from telegen.adapter.apis.discovery_documents import AGGREGATED
from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.adapter.apis.negotiation import PLAIN, Form, negotiate, preferred
from telegen.adapter.apis.tables import TABLES, table
from telegen.adapter.rules.reading import read_rules
from tests.adapter.cluster import HERE, adapter, object_server
from tests.adapter.comparison import decoded
from tests.adapter.replay import Recording, replayed

V2, V2BETA1 = AGGREGATED
TABLE, OLD_TABLE = TABLES


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("application/json, */*", PLAIN),
        (f"{V2.media_type},{V2BETA1.media_type},application/json", V2),
        (f"{V2BETA1.media_type},application/json", V2BETA1),
        ("application/json; g=apidiscovery.k8s.io; v=v2; as=APIGroupDiscoveryList", V2),
        (f"application/json,{V2.media_type}", PLAIN),
        (f"application/json;q=0.5,{V2.media_type}", V2),
        (f"{V2._replace(version='v9').media_type},{V2BETA1.media_type}", V2BETA1),
        (f"{V2._replace(group='other').media_type}", None),
    ],
)
def test_form_of_discovery(accept: str, form: Form | None) -> None:
    """The aggregated document is sent only in a version that the client prefers to plain JSON."""
    assert preferred(accept, (PLAIN, *AGGREGATED)) == form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (f"{TABLE.media_type},application/json", TABLE),
        (f"{TABLE.media_type.replace(';', '; ')}, application/json", TABLE),
        (f"{OLD_TABLE.media_type},{TABLE.media_type}", OLD_TABLE),
        (f"{TABLE._replace(version='v7').media_type},{OLD_TABLE.media_type},application/json", OLD_TABLE),
        (f"{TABLE._replace(version='v7').media_type},application/json", PLAIN),
        (f"text/html,{TABLE.media_type};q=0.1,application/json;q=0.2", PLAIN),
        (f"*/*,{TABLE.media_type}", TABLE),
        (f"application/json,{TABLE.media_type}", PLAIN),
        (f"application/json;q=0,{TABLE.media_type};q=x", TABLE),
        ("application/vnd.kubernetes.protobuf, */*", PLAIN),
        ("application/vnd.kubernetes.protobuf", PLAIN),
        ("application/json;charset=utf-8", PLAIN),
        ("Application/*", PLAIN),
        (" ", PLAIN),
    ],
)
def test_form_of_lists(accept: str, form: Form) -> None:
    """The first form that can be sent counts, by weight, then by its place in the header; wildcards are last."""
    assert negotiate(accept, (PLAIN, *TABLES)) == form


@pytest.mark.parametrize("accept", ["text/html", "application/yaml, application/json;q=0", TABLE._replace(version="v7").media_type, ","])
def test_form_that_cannot_be_sent(accept: str) -> None:
    """A client that accepts none of the forms gets 406 with those that there are."""
    with pytest.raises(StatusError, match="only the following media types are accepted: application/json, .*as=Table") as raised:
        negotiate(accept, (PLAIN, *TABLES))
    assert (raised.value.code, raised.value.reason) == (406, "NotAcceptable")


def test_table_of_odd_quantities() -> None:
    """Cells of a pod are the sums of its containers, in any unit."""
    rows = [[2000.0, 1 << 20], [0.001, 7]]
    pod = PodUsage("shop", "x", "n1", b"{}", 0.0, 10.0, ("cpu", "memory"), (), ("a", "b"), rows, ())
    row = table([pod], TABLE, lambda one: None)["rows"][0]
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
