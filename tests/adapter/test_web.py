"""The HTTP application in process: paths, parameters and headers as they are sent."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import falcon.testing
import pytest

from telegen.adapter.apis.discovery_documents import AGGREGATED
from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.adapter.rules.reading import read_rules
from telegen.adapter.web import DIRECT_THREADS, DIRECT_WAITING, make_app
from tests.adapter.cluster import HERE, Open, adapter, object_server
from tests.adapter.replay import Recording, replayed

CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop"
problems = [""]


@pytest.fixture(scope="module")
def client() -> Iterator[falcon.testing.TestClient]:
    recording = Recording(json.loads((HERE / "cases/plain-gauge.json").read_text()))
    with replayed(recording) as prometheus, object_server() as cluster:
        apis, _ = adapter(read_rules(str(HERE / "cases/plain-gauge.yaml")), [prometheus], cluster)
        yield falcon.testing.TestClient(make_app(apis, {"series": lambda: problems[0]}, Open()))


def test_queries_as_they_are_sent(client: falcon.testing.TestClient) -> None:
    """Names arrive percent-encoded, spaces of selectors as plus signs."""
    answer = client.simulate_get(f"{CUSTOM}/pods/%2A/http_inflight", query_string="labelSelector=app+in+%28web%2Capi%29")
    assert answer.status_code == 200
    assert [(item["describedObject"]["name"], item["value"]) for item in answer.json["items"]] == [
        ("api-1", "30"),
        ("web-1", "21"),
        ("web-2", "25500m"),
    ]


def test_repeated_parameters(client: falcon.testing.TestClient) -> None:
    """The first value of a repeated parameter counts."""
    answer = client.simulate_get(f"{CUSTOM}/pods/%2A/http_inflight", query_string="labelSelector=app%3Dweb&labelSelector=app%3Dapi")
    assert [item["describedObject"]["name"] for item in answer.json["items"]] == ["web-1", "web-2"]


def test_errors_are_status_objects(client: falcon.testing.TestClient) -> None:
    """Whatever fails is a Status with the code of the answer."""
    for method, path, code in (
        ("GET", f"{CUSTOM}/pods/web-1/nothing", 404),
        ("GET", f"{CUSTOM}/nothing", 400),
        ("GET", f"{CUSTOM}/pods/%2A/http_inflight?labelSelector=a%3D%28", 400),
        ("GET", "/apis/custom.metrics.k8s.io/v9", 404),
        ("GET", "/api/v1/pods", 404),
        ("GET", f"{CUSTOM}//x/http_inflight", 404),
        ("DELETE", f"{CUSTOM}/pods/web-1/http_inflight", 405),
    ):
        answer = client.simulate_request(method, path.partition("?")[0], query_string=path.partition("?")[2])
        assert (answer.status_code, answer.json["kind"], answer.json["code"]) == (code, "Status", code)
        assert answer.json["message"]


def test_aggregated_discovery(client: falcon.testing.TestClient) -> None:
    """The aggregated document has its own media type, and an ETag by which it is not sent again."""
    for form in AGGREGATED:
        accept = f"{form.media_type},application/json"
        answer = client.simulate_get("/apis", headers={"Accept": accept})
        assert (answer.headers["content-type"], answer.json["apiVersion"]) == (form.media_type, f"apidiscovery.k8s.io/{form.version}")
        again = client.simulate_get("/apis", headers={"Accept": accept, "If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert client.simulate_get("/apis", headers={"Accept": "application/json"}).json["kind"] == "APIGroupList"
    group = client.simulate_get("/apis/custom.metrics.k8s.io").json
    assert group["preferredVersion"]["version"] == "v1beta2"


def test_probes_and_paths(client: falcon.testing.TestClient) -> None:
    """Only /readyz depends on what the adapter knows."""
    problems[0] = "no series yet"
    codes = {name: client.simulate_get(f"/{name}").status_code for name in ("healthz", "livez", "readyz", "version", "")}
    assert codes == {"healthz": 200, "livez": 200, "readyz": 503, "version": 200, "": 200}
    assert client.simulate_get("/readyz").text == "not ready: series: no series yet\n"
    problems[0] = ""
    assert client.simulate_get("/readyz", query_string="verbose").text == "[+]series ok\nreadyz check passed\n"
    assert "/apis/custom.metrics.k8s.io" in client.simulate_get("/").json["paths"]


@pytest.mark.parametrize(
    "target, code",
    [
        ("https://adapter.example:10250/version", 200),
        ("HTTPS://[::1]:10250/readyz", 200),
        ("https://adapter.example", 200),
        ("https://[broken/version", 200),
        ("https://adapter.example/nothing", 404),
        ("*", 404),
    ],
)
def test_targets_with_scheme_and_host(client: falcon.testing.TestClient, target: str, code: int) -> None:
    """A request target in the form for proxies is answered by its path; one without a path gets a Status."""
    scope = {**falcon.testing.create_scope(), "path": target, "raw_path": target.encode()}
    sent = list[dict[str, Any]]()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(client.app(scope, receive, send))
    assert sent[0]["status"] == code
    assert code == 200 or json.loads(sent[1]["body"])["kind"] == "Status"


def test_coding_of_long_answers(client: falcon.testing.TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long answer is compressed for clients that accept it, and not for those that refuse gzip by its quality."""
    monkeypatch.setattr("telegen.adapter.web.GZIP_FROM", 1000)
    path = "/openapi/v3/apis/custom.metrics.k8s.io/v1beta2"
    for accepted, coding in (("gzip", "gzip"), ("gzip;q=0", None), ("gzip;q=0, identity", None), ("x-gzip, br", "gzip"), ("", None)):
        assert client.simulate_get(path, headers={"Accept-Encoding": accepted}).headers.get("content-encoding") == coding


def test_parts_of_long_answers(client: falcon.testing.TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long answer that is sent in parts is the same document, and its length is known before, also to HEAD."""
    path = "/openapi/v3/apis/custom.metrics.k8s.io/v1beta2"
    whole = client.simulate_get(path).content
    monkeypatch.setattr("telegen.adapter.web.PART", len(whole) // 3)
    in_parts, head = client.simulate_get(path), client.simulate_head(path)
    assert in_parts.content == whole and head.content == b""
    assert {answer.headers["content-length"] for answer in (in_parts, head)} == {str(len(whole))}


def test_clients_that_have_gone_keep_their_place() -> None:
    """Clients that send requests and leave, again and again, do not fill the queue of those that others wait in."""
    may_go = threading.Event()

    class Slow(Open):
        def is_front_proxy(self, peer: object) -> bool:
            return False

        def check(self, *arguments: object) -> None:
            may_go.wait(20)

    app: Any = make_app(MetricsApis(None), {}, Slow())

    async def ask() -> int:
        answers = list[dict[str, Any]]()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        async def send(message: dict[str, Any]) -> None:
            answers.append(message)

        await app(falcon.testing.create_scope(path="/apis"), receive, send)
        return int(answers[0]["status"])

    async def attack() -> int:
        for _ in range(3):
            gone = [asyncio.create_task(ask()) for _ in range(DIRECT_THREADS + DIRECT_WAITING)]
            for _ in range(10):
                await asyncio.sleep(0)
            for one in gone:
                one.cancel()
            await asyncio.gather(*gone, return_exceptions=True)
        refused = await ask()
        may_go.set()
        return refused

    assert asyncio.run(attack()) == 429
