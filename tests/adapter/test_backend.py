"""Discovery over time: a server that fails, a file that changes, resources that come later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import falcon.testing
import pytest

from telegen.adapter.rest_mapping import GroupResource
from telegen.adapter.rules.reading import parse_rules
from telegen.adapter.web import make_app
from telegen.api.errors import ApiError
from tests.adapter.cluster import Objects, Open, adapter, object_server
from tests.adapter.replay import served_json

RULE = "- {{seriesQuery: {0}, resources: {{template: <<.Resource>>}}, metricsQuery: '<<.Series>>'}}\n"


class Server:
    """A Prometheus whose series queries fail on request."""

    def __init__(self) -> None:
        self.failing = set[str]()

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        match = form.get("match[]", "")
        if match in self.failing:
            return 503, {"status": "error", "errorType": "unavailable", "error": "starting"}
        return 200, {"status": "success", "data": [{"__name__": match, "namespace": "shop", "pod": "x"}]}


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def urls(server: Server) -> Iterator[tuple[str, str]]:
    with served_json(server.answer) as prometheus, object_server() as cluster:
        yield prometheus, cluster


def names(backend: Any) -> list[str]:
    return sorted({name for _, name in backend.registry.custom})


def test_failing_series_query(server: Server, urls: tuple[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """A selector that fails keeps its last series and is logged once; the others follow what Prometheus has."""
    rules = parse_rules(("rules:\n" + RULE.format("a") + RULE.format("b")).encode(), "f")
    server.failing = {"a"}
    backend = adapter(rules, [urls[0]], urls[1])[1]
    assert names(backend) == ["b"]
    server.failing = set()
    backend.relist(600)
    server.failing = {"b"}
    caplog.clear()
    backend.relist(600)
    backend.relist(600)
    assert names(backend) == ["a", "b"]
    assert caplog.messages == [f"f:3: rules[1]: seriesQuery: {urls[0]}: unavailable: starting"]


def test_names_that_are_syntax(urls: tuple[str, str]) -> None:
    """Names of series and labels that would be part of the query's syntax make no metrics."""
    series = [
        {"__name__": 'a"} or vector(1)#', "namespace": "shop", "pod": "x"},
        {"__name__": "http.requests", "namespace": "shop", "pod": "x"},
        {"__name__": "b", "namespace": "shop", "x-pod": "x"},
        {"__name__": "c", "namespace": "shop", "x_pod": "x"},
    ]
    rules = parse_rules(b"rules: [{seriesQuery: a, resources: {template: x_<<.Resource>>}, metricsQuery: <<.Series>>}]")
    loose = parse_rules(b"rules: [{seriesQuery: a, resources: {template: <<.Resource>>}, metricsQuery: <<.Series>>}]")
    with served_json(lambda path, form: (200, {"status": "success", "data": series})) as prometheus:
        assert list(adapter(rules, [prometheus], urls[1])[1].registry.custom) == [(GroupResource("", "pods"), "c")]
        assert names(adapter(loose, [prometheus], urls[1])[1]) == ["b", "c"]


def test_several_series_of_one_metric(urls: tuple[str, str]) -> None:
    """Of several series that make one metric the last one of the answer counts, with the label for namespaces that it has."""
    series = [
        {"__name__": "z", "ns": "shop", "pod": "x"},
        {"__name__": "b", "kube_namespace": "shop", "pod": "x"},
        {"__name__": "a", "ns": "shop", "pod": "x"},
        {"__name__": "b", "kube_namespace": "shop", "pod": "y"},
    ]
    labels = "{ns: {resource: namespace}, kube_namespace: {resource: namespace}, pod: {resource: pod}}"
    rule = f"[{{seriesQuery: s, resources: {{overrides: {labels}}}, name: {{as: one}}, metricsQuery: <<.Series>>}}]"
    rules = parse_rules(f"rules: {rule}\nexternalRules: {rule}".encode())
    with served_json(lambda path, form: (200, {"status": "success", "data": series})) as prometheus:
        registry = adapter(rules, [prometheus], urls[1])[1].registry
    found = [registry.custom[GroupResource("", "pods"), "one"], registry.external["one"]]
    assert [(metric.series, metric.namespace_label) for metric in found] == [("b", "kube_namespace")] * 2


def test_other_rules(urls: tuple[str, str]) -> None:
    """Rules that are replaced count from the next discovery on."""
    apis, backend = adapter(parse_rules(("rules:\n" + RULE.format("a")).encode()), [urls[0]], urls[1])
    backend.rules = parse_rules(("externalRules:\n" + RULE.format("c")).encode())
    backend.relist(600)
    assert (names(backend), list(backend.registry.external)) == ([], ["c"])
    assert [group.name for group in apis.groups()] == ["external.metrics.k8s.io"]


def test_api_server_that_fails(urls: tuple[str, str]) -> None:
    """A selection of objects is refused with the cause, and a discovery that fails leaves what is known."""
    objects, failing = Objects([]), list[str]()

    def answer(path: str, form: dict[str, str]) -> tuple[int, Any]:
        return (500, {"kind": "Status", "message": "etcd is away"}) if failing else objects.answer(path, form)

    with served_json(answer) as cluster:
        apis, backend = adapter(parse_rules(("rules:\n" + RULE.format("a")).encode()), [urls[0]], cluster)
        failing.append("yes")
        refused = apis.answer("/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/a", {})
        assert (refused.status, refused.document["message"]) == (
            503,
            "unable to list matching resources: /api/v1/namespaces/shop/pods: 500: etcd is away",
        )
        with pytest.raises(ApiError):
            backend.relist(600)
    assert names(backend) == ["a"]


def test_parallel_requests(server: Server, urls: tuple[str, str]) -> None:
    """Requests of several threads are with the API server at the same time."""
    objects, both = Objects([{"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "x"}}]), threading.Barrier(2)

    def answer(path: str, form: dict[str, str]) -> tuple[int, Any]:
        if path.endswith("/pods"):
            both.wait(30)
        return objects.answer(path, form)

    with served_json(answer) as cluster, ThreadPoolExecutor(2) as pool:
        backend = adapter(parse_rules(b""), [urls[0]], cluster)[1]
        pods = backend.mapping.find(GroupResource("", "pods"))
        assert pods
        lists = [pool.submit(backend.objects.names, pods, namespace, "") for namespace in ("shop", "data")]
        assert [one.result(60) for one in lists] == [["x"], []]


def test_error_that_no_code_expects(caplog: pytest.LogCaptureFixture) -> None:
    """The client gets a Status, the log the error."""

    class Broken:
        def names(self) -> list[str]:
            return []

        def answer(self, *_: object) -> Any:
            raise ZeroDivisionError("odd")

    answer = falcon.testing.TestClient(make_app(Broken(), {}, Open())).simulate_get("/apis/x")  # type: ignore[arg-type]
    assert (answer.status_code, answer.json["kind"], answer.json["reason"]) == (500, "Status", "InternalError")
    assert "odd" in caplog.text and "odd" not in answer.text
