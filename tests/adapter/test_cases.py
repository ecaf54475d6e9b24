"""Recorded cases of prometheus-adapter: same discovery, same queries, same answers, and the right answer where the recorded one is wrong.

A case is a rules file and a recording of the same name in cases/. Each is run by the rules alone, and with agents beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from telegen.adapter.apis.discovery_documents import AGGREGATED
from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.adapter.live.metrics import LIVE_METRICS
from telegen.adapter.rules.reading import read_rules
from tests.adapter.agents import Agents, document
from tests.adapter.cluster import HERE, adapter, object_server
from tests.adapter.comparison import agrees, decoded
from tests.adapter.replay import Recording, canonical, replayed

CASES = sorted(path.stem for path in (HERE / "cases").glob("*.json"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with object_server() as url:
        yield url


PODS = {"shop/web-1": ({"app": "web"}, {"app": [9.0, 9]}), "data/db-0": ({}, {"db": [9.0, 9]})}
BESIDE = {"rules": None, "agents": Agents([document("n1", PODS, [9.0, 9])], {}, {"kube_node_info": [({}, 9.0)]})}
"""The source beside the rules; the values of the agents are all wrong."""
LIVE = {"kube_node_info", "kube_node_info_count", *(f"{resource}/{one.name}" for one in LIVE_METRICS for resource in one.resources)}


@pytest.fixture(scope="module", params=[(case, beside) for case in CASES for beside in BESIDE], ids="-".join)
def running(request: pytest.FixtureRequest, cluster: str) -> Iterator[tuple[dict[str, Any], Recording, MetricsApis]]:
    name, beside = request.param
    case = json.loads((HERE / f"cases/{name}.json").read_text())
    recording = Recording(case)
    if BESIDE[beside]:
        case["discovery"]["optional"] = [*case["discovery"].get("optional", ()), *LIVE]
    rules = read_rules(str(HERE / f"cases/{name}.yaml"))
    with replayed(recording) as prometheus:
        yield case, recording, adapter(rules, [prometheus], cluster, BESIDE[beside], ["kube_node_info"])[0]


Running = tuple[dict[str, Any], Recording, MetricsApis]


def test_each_series_query_is_asked_once(running: Running) -> None:
    """The first discovery asks for each distinct selector of the file once, as the file has it."""
    case, recording, _ = running
    asked = sorted(text for kind, text, _ in recording.asked if kind == "series")
    assert asked == sorted(one["match"] for one in case.get("series", ()))


def test_discovery_lists_the_metrics(running: Running) -> None:
    """Legacy documents list the recorded resources, and each group all of its versions."""
    discovery, apis = running[0]["discovery"], running[2]
    for version, recorded in discovery["legacy"].items():
        document = apis.answer(f"/apis/{version}", {}).document
        listed = {one["name"]: (one["namespaced"], one["kind"], one["verbs"]) for one in document["resources"]}
        right = {name: (namespaced, kind, verbs) for name, namespaced, kind, verbs in discovery.get("right", {}).get(version, recorded)}
        optional = set(discovery.get("optional", ()))
        assert {name: one for name, one in listed.items() if name not in optional} == {
            name: one for name, one in right.items() if name not in optional
        }
        assert listed.keys() - right.keys() <= optional
        group, _, name = version.partition("/")
        assert name in [one["version"] for one in apis.answer(f"/apis/{group}", {}).document["versions"]]


def test_aggregated_discovery_has_the_same_list(running: Running) -> None:
    """The aggregated document has each resource of the legacy ones, in the same scope as its parent."""
    apis = running[2]
    document = apis.answer("/apis", {}, AGGREGATED[0].media_type).document
    for group in document["items"]:
        for version in group["versions"]:
            legacy = apis.answer(f"/apis/{group['metadata']['name']}/{version['version']}", {}).document["resources"]
            listed = {
                f"{parent['resource']}/{one['subresource']}": parent["scope"]
                for parent in version["resources"]
                for one in parent.get("subresources", ())
            } or {parent["resource"]: parent["scope"] for parent in version["resources"]}
            assert listed == {one["name"]: "Namespaced" if one["namespaced"] else "Cluster" for one in legacy}


def test_requests(running: Running) -> None:
    """Each request sends the recorded queries and gets the recorded answer, or one of the right ones."""
    case, recording, apis = running
    wrong = list[str]()
    for request in case["requests"]:
        recording.asked.clear()
        path, _, query = request["get"].partition("?")
        answer = apis.answer(path, dict(parse_qsl(query, keep_blank_values=True)), request.get("accept", ""))
        document = decoded(answer.document)
        good = request.get("right_any") or [request["right"] if "right" in request else request]
        tolerance = request.get("tolerance") or 0
        if not any(agrees(answer.status, document, one, tolerance, bool(request.get("unstable"))) for one in good):
            wrong.append(f"{request['get']}: {answer.status} {json.dumps(document)[:600]}\n  not {json.dumps(good)[:900]}")
        wrong += [f"{request['get']}: {line}" for line in _wrong_queries(request, recording, answer.status)]
    assert not wrong, "\n".join(wrong)


def _wrong_queries(request: dict[str, Any], recording: Recording, status: int) -> Iterator[str]:
    """Yield the queries that should not have been asked, or should have been."""
    asked = [text for kind, text, _ in recording.asked if kind == "query"]
    yield from (f"unknown query {text}" for kind, text, known in recording.asked if not known)
    right = request.get("promql_right")
    expected = right if right is not None and status == 200 else request.get("promql", [])
    # A request that fails early needs no queries.
    if status < 400 or asked:
        wanted = sorted(canonical(one["query"], True) for one in expected)
        got = sorted(canonical(text, True) for text in asked)
        if wanted != got:
            yield f"asked {got}\n  not {wanted}"
