"""metrics.k8s.io over documents of agents, at the HTTP application."""

from __future__ import annotations

import json
import re
from typing import Any

import falcon.testing
import pytest

from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.adapter.apis.negotiation import Form
from telegen.adapter.apis.tables import PARTIAL_LISTS, PARTIAL_OBJECTS, TABLES
from telegen.adapter.cluster_objects import NoObjects
from telegen.adapter.prometheus import Servers
from telegen.adapter.queries.backend import RulesBackend
from telegen.adapter.rest_mapping import RestMapping
from telegen.adapter.rules.reading import parse_rules
from tests.adapter.agents import Agents, document
from tests.adapter.cluster import HERE, http_client
from tests.adapter.comparison import agrees

V1BETA1 = "/apis/metrics.k8s.io/v1beta1"
FORMS = json.loads((HERE / "resource-forms.json").read_text())
PEER_FAULTS = {"/apis/metrics.k8s.io/v1beta1/namespaces/rates/pods/idle": "a pod without CPU time vanishes"}
STEADY = [0.2, 52428800, None]


def rates(name: str) -> dict[str, str]:
    return {"app": "rates", "case": name}


def agents() -> Agents:
    """Return the pods and nodes of the recorded forms."""
    names = ("steady", "decreasing", "falling-beside", "two-clocks")
    pods: dict[str, Any] = {f"rates/{name}": (rates(name), {"app": STEADY}) for name in names}
    pods["rates/falling-beside"][1]["side"] = STEADY
    pods["rates/two-clocks"][1]["side"] = [0.1, 52428800]
    pods["rates/starting"] = (rates("starting"), None)
    pods["rates/half"] = (rates("half"), {"app": STEADY, "side": [None, 4096]})
    nodes = {"n1": {"zone": "east", "disk": "ssd"}, "n2.example.com": {"zone": "west"}, "n6-still": {"zone": "north"}}
    documents = [
        document("n6-still", {}, [0.066666666, 1 << 30]),
        document("n1", pods, [0.5, 1073741825]),
        document("n2.example.com", {}, [0.5, 1 << 30]),
        document("n7", {"rates/idle": (rates("idle"), {"app": [0.0, 52428800]})}),
    ]
    return Agents(documents, nodes, {})


@pytest.fixture(scope="module")
def client() -> falcon.testing.TestClient:
    return http_client(MetricsApis(None, agents()))


def get(client: falcon.testing.TestClient, path: str, accept: str = "application/json") -> Any:
    return client.simulate_get(path.partition("?")[0], query_string=path.partition("?")[2], headers={"Accept": accept})


@pytest.mark.parametrize("form", FORMS["requests"], ids=lambda form: form["get"].removeprefix(f"{V1BETA1}/"))
def test_recorded_forms(client: falcon.testing.TestClient, form: dict[str, Any]) -> None:
    """Lists, objects, Tables and errors have the form that metrics-server gives them."""
    answer = get(client, form["get"], form["accept"])
    recorded = form["answer"]
    if form["get"] in PEER_FAULTS or recorded == "":
        assert answer.status_code == 200 and answer.json["kind"] == "PodMetrics"
    elif "..." in recorded.get("items", ()):
        shown = {item["metadata"]["name"]: item for item in answer.json["items"]}
        for item in recorded["items"][:-1]:
            found = shown[item["metadata"]["name"]]
            assert agrees(200, {"kind": "", **found}, {"status": 200, "answer": {"kind": "", **item}})
    else:
        assert agrees(answer.status_code, answer.json, form), answer.json


def test_recorded_discovery(client: falcon.testing.TestClient) -> None:
    """The legacy list of v1beta1 is the recorded one, and the aggregated document has its resources in both versions."""
    recorded = FORMS["discovery"]
    assert get(client, V1BETA1).json == recorded["/apis/metrics.k8s.io/v1beta1"]["body"]
    group = get(client, "/apis/metrics.k8s.io").json
    assert [one["version"] for one in group["versions"]] == ["v1beta1", "v1"]
    assert group["preferredVersion"] == recorded["/apis/metrics.k8s.io"]["body"]["preferredVersion"]
    listed = get(client, "/apis", recorded["/apis v2"]["type"]).json
    found = next(item for item in listed["items"] if item["metadata"]["name"] == "metrics.k8s.io")
    expected = [
        (one["resource"], one["scope"], one["responseKind"]["kind"], one["verbs"])
        for one in recorded["/apis v2"]["body"]["items"][0]["versions"][0]["resources"]
    ]
    for version in found["versions"]:
        assert [(one["resource"], one["scope"], one["responseKind"]["kind"], one["verbs"]) for one in version["resources"]] == expected


def test_order_window_and_time() -> None:
    """Lists are sorted by namespace and name; window and time are those of the agent, in milliseconds and whole seconds."""
    pods = {"b/y": ({}, {"app": [0.1, 1]}), "a/z": ({}, {"app": [0.1, 1]}), "b/x": ({}, {"app": [0.1, 1]})}
    source = Agents([document("n1", pods, age=7.4, window=10.2134)], {}, {})
    items = get(http_client(MetricsApis(None, source)), f"{V1BETA1}/pods").json["items"]
    assert [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items] == [("a", "z"), ("b", "x"), ("b", "y")]
    assert {(item["window"], item["timestamp"]) for item in items} == {("10.213s", "2024-11-28T13:19:52Z")}


def test_unknown_is_absent_and_never_zero(client: falcon.testing.TestClient) -> None:
    """A pod with a container whose CPU is unknown is left out whole; one that used no CPU time is shown with 0."""
    names = [item["metadata"]["name"] for item in get(client, f"{V1BETA1}/namespaces/rates/pods").json["items"]]
    assert names == ["decreasing", "falling-beside", "idle", "steady", "two-clocks"]
    assert get(client, f"{V1BETA1}/namespaces/rates/pods/idle").json["containers"][0]["usage"] == {"cpu": "0", "memory": "50Mi"}
    for name in ("half", "starting"):
        refused = get(client, f"{V1BETA1}/namespaces/rates/pods/{name}")
        assert (refused.status_code, refused.json["message"]) == (404, f'podmetrics.metrics.k8s.io "rates/{name}" not found')
    refused = get(client, f"{V1BETA1}/nodes/n7")
    assert (refused.status_code, refused.json["message"]) == (404, 'nodemetrics.metrics.k8s.io "n7" not found')


def test_odd_numbers() -> None:
    """Values that are not finite or negative are no usage; swap is shown where it is known."""
    odd = {"nan": [float("nan"), 1], "negative": [-1, 1], "swap": [1e-9, 5, 4096]}
    pods = {f"a/{name}": ({}, {"app": values}) for name, values in odd.items()}
    client = http_client(MetricsApis(None, Agents([document("n1", pods)], {}, {})))
    assert [item["containers"] for item in get(client, f"{V1BETA1}/pods").json["items"]] == [
        [{"name": "app", "usage": {"cpu": "1n", "memory": "5", "swap": "4Ki"}}]
    ]


def test_v1_has_the_documents_of_v1beta1(client: falcon.testing.TestClient) -> None:
    """Only the version differs, in lists, objects and Tables."""
    for path in ("nodes", "nodes/n1", "pods", "namespaces/rates/pods/steady"):
        old, new = (get(client, f"/apis/metrics.k8s.io/{version}/{path}").text for version in ("v1beta1", "v1"))
        assert "creationTimestamp" in old and _without_times(new.replace("io/v1", "io/v1beta1", 1)) == _without_times(old)
    tables = [get(client, f"/apis/metrics.k8s.io/{version}/pods", TABLES[0].media_type).json["kind"] for version in ("v1beta1", "v1")]
    assert tables == ["Table", "Table"]


@pytest.mark.parametrize("form", TABLES, ids=lambda form: form.version)
@pytest.mark.parametrize("path", ["namespaces/rates/pods", "namespaces/rates/pods/steady", "nodes", "nodes/n1"])
def test_objects_of_tables(client: falcon.testing.TestClient, path: str, form: Form) -> None:
    """The rows of a Table have metadata, whole objects or none, as the client asks; the version is that of the form it accepts."""
    choices = ("", "Metadata", "Object", "None")
    tables = {one: get(client, f"{V1BETA1}/{path}?includeObject={one}", form.media_type).json for one in choices}
    plain = get(client, f"{V1BETA1}/{path}").json
    items = plain["items"] if "items" in plain else [plain]
    for table in tables.values():
        assert (table["kind"], table["apiVersion"]) == ("Table", f"meta.k8s.io/{form.version}")
        assert [row["cells"][0] for row in table["rows"]] == [item["metadata"]["name"] for item in items]
    objects = {one: [row["object"] for row in table["rows"]] for one, table in tables.items()}
    assert [one["kind"] for one in objects[""]] == ["PartialObjectMetadata"] * len(items)
    assert _names(objects[""]) == _names(objects["Metadata"]) == _names(items)
    assert {one["apiVersion"] for one in objects["Metadata"]} == {f"meta.k8s.io/{form.version}"}
    kind = "PodMetrics" if "pods" in path else "NodeMetrics"
    assert [(one["kind"], one["apiVersion"], one["window"]) for one in objects["Object"]] == [
        (kind, "metrics.k8s.io/v1beta1", item["window"]) for item in items
    ]
    assert set(objects["None"]) == {None}
    refused = get(client, f"{V1BETA1}/{path}?includeObject=all", form.media_type)
    assert (refused.status_code, refused.json["reason"]) == (400, "BadRequest")


def test_metadata_alone(client: falcon.testing.TestClient) -> None:
    """Clients of metadata get it in the version that they accept, of lists and of objects."""
    for of_lists, of_objects in zip(PARTIAL_LISTS, PARTIAL_OBJECTS):
        listed = get(client, f"{V1BETA1}/nodes", of_lists.media_type).json
        assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", f"meta.k8s.io/{of_lists.version}")
        single = get(client, f"{V1BETA1}/nodes/n1", of_objects.media_type).json
        assert "n1" in _names(listed["items"]) and single["metadata"]["labels"] == {"zone": "east", "disk": "ssd"}
        assert {tuple(one) for one in (single, *listed["items"])} == {("kind", "apiVersion", "metadata")}
        assert get(client, f"{V1BETA1}/nodes", of_objects.media_type).status_code == 406


@pytest.mark.parametrize(
    "query",
    [
        "limit=1",
        "limit=-1&timeoutSeconds=%2B9223372036854775807",
        "limit=500&continue=abc",
        "resourceVersion=0&timeoutSeconds=5",
        "resourceVersion=0&resourceVersionMatch=NotOlderThan",
        "pretty=true",
        "watch=false",
    ],
)
def test_parameters_without_effect(client: falcon.testing.TestClient, query: str) -> None:
    """Lists are whole, whatever part of them a client asks for."""
    items = get(client, f"{V1BETA1}/namespaces/rates/pods?{query}").json["items"]
    assert _names(items) == ["decreasing", "falling-beside", "idle", "steady", "two-clocks"]


@pytest.mark.parametrize(
    ("query", "code", "named"),
    [
        ("limit=abc", 400, "limit"),
        ("limit=", 400, "limit"),
        ("limit=1_0", 400, "limit"),
        ("limit=%D9%A1", 400, "limit"),
        ("limit=9223372036854775808", 400, "limit"),
        (f"limit={'1' * 5000}", 400, "limit"),
        ("timeoutSeconds=5s", 400, "timeoutSeconds"),
        ("watch=true&labelSelector=%21%21", 400, "a label"),
        ("watch=", 405, "watch"),
        ("resourceVersionMatch=Exact", 422, "resourceVersionMatch"),
        ("resourceVersion=0&resourceVersionMatch=Exact", 422, "resourceVersionMatch"),
        ("resourceVersion=1&resourceVersionMatch=exact", 422, "resourceVersionMatch"),
        ("resourceVersion=1&resourceVersionMatch=Exact&continue=a", 422, "resourceVersionMatch"),
        ("sendInitialEvents=false", 422, "sendInitialEvents"),
    ],
)
def test_parameters_that_the_api_server_refuses(client: falcon.testing.TestClient, query: str, code: int, named: str) -> None:
    """Values of parameters that a list of the API server cannot have are refused with its code, and the parameter is named."""
    answer = get(client, f"{V1BETA1}/namespaces/rates/pods?{query}")
    assert (answer.status_code, answer.json["code"]) == (code, code) and named in answer.json["message"]


@pytest.mark.parametrize("path", ["pods/", "namespaces/rates/pods/", "nodes/", "nodes/n1/"])
def test_slash_at_the_end(client: falcon.testing.TestClient, path: str) -> None:
    """A path may end with a slash."""
    assert get(client, f"{V1BETA1}/{path}").json["kind"] == get(client, f"{V1BETA1}/{path[:-1]}").json["kind"]


def _names(items: list[Any]) -> list[str]:
    return [item["metadata"]["name"] for item in items]


def _without_times(text: str) -> str:
    return re.sub(r'"creationTimestamp":"[^"]*"', "", text)


def test_no_usage_yet() -> None:
    """Without usage the answer is 503 with the reason, for each group."""
    source = agents()
    source.reason = "no agent has answered yet"
    client = http_client(MetricsApis(None, source))
    for path in (f"{V1BETA1}/pods", "/apis/custom.metrics.k8s.io/v1beta2/namespaces/rates/pods/*/cpu_usage"):
        answer = get(client, path)
        assert (answer.status_code, answer.json["message"]) == (503, "usage is not available: no agent has answered yet")


def test_neither_agents_nor_rules() -> None:
    """Without both, no group is listed."""
    assert get(http_client(MetricsApis(None)), "/apis").json["groups"] == []


def test_refused_resource_rules() -> None:
    """Resource rules that are refused leave metrics.k8s.io to the agents; without agents it is 503 with the cure."""
    rules = parse_rules(b"resourceRules: {cpu: {containerQuery: <<.Nothing>>}}")
    backend = RulesBackend(rules, Servers([]), NoObjects(), lambda: RestMapping(()))
    assert get(http_client(MetricsApis(backend, agents())), f"{V1BETA1}/nodes/n1").status_code == 200
    answer = get(http_client(MetricsApis(backend)), f"{V1BETA1}/nodes/n1")
    assert (answer.status_code, answer.json["message"]) == (
        503,
        "the resource rules are refused; telegen adapter check-rules shows the reason",
    )
