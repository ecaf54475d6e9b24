"""The recorded cases with a real Prometheus that scrapes the same series: NaN, infinities, dots and quotes in names among them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from telegen.adapter.prometheus import Prometheus
from telegen.adapter.rules.reading import read_rules
from tests.adapter.cluster import HERE, adapter, object_server
from tests.adapter.comparison import agrees, decoded
from tests.adapter.replay import served_json
from tests.cluster.prometheus import prometheus
from tests.process_tree import wait_for

pytestmark = pytest.mark.prometheus
CASES = sorted(path.stem for path in (HERE / "cases").glob("*.json"))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A Prometheus that has scraped gauges.prom, and the API server of the objects."""
    page = (HERE / "gauges.prom").read_bytes()
    with served_json(lambda path, form: (200, page)) as target, object_server() as cluster:
        job = {"job_name": "synthetic", "honor_labels": True}
        job["static_configs"] = [{"targets": [target.removeprefix("http://")], "labels": {"instance": "target"}}]
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
        with prometheus(config, tmp_path_factory.mktemp("prometheus")) as running:
            wait_for("series", lambda: bool(Prometheus(running.url).series("up", 0)), 30, 0.2)
            yield running.url, cluster


def _is_constant(request: dict[str, Any]) -> bool:
    """Return True for a request whose queries are about gauges only."""
    queries = [one["query"] for one in request.get("promql", []) + request.get("promql_right", [])]
    return "tolerance" not in request and not any("rate(" in query for query in queries)


@pytest.mark.parametrize("case", CASES)
def test_requests(case: str, servers: tuple[str, str]) -> None:
    """Requests about gauges have the recorded answers, or the right ones."""
    apis, _ = adapter(read_rules(str(HERE / f"cases/{case}.yaml")), [servers[0]], servers[1])
    wrong = list[str]()
    for request in filter(_is_constant, json.loads((HERE / f"cases/{case}.json").read_text())["requests"]):
        path, _, query = request["get"].partition("?")
        answer = apis.answer(path, dict(parse_qsl(query, keep_blank_values=True)), request.get("accept", ""))
        good = request.get("right_any") or [request.get("right", request)]
        if not any(agrees(answer.status, decoded(answer.document), one, 0, bool(request.get("unstable"))) for one in good):
            wrong.append(f"{request['get']}: {answer.status} {json.dumps(decoded(answer.document))[:500]}\n  not {json.dumps(good)[:700]}")
    assert not wrong, "\n".join(wrong)


def test_dots_in_names(servers: tuple[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Names with dots match themselves only, also where no GroupBy separates them; NaN is left out, counted and named."""
    rules = tmp_path / "rules.yaml"
    labels = "resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}"
    series = "<<.Series>>{<<.LabelMatchers>>}"
    rules.write_text(
        f'rules:\n- {{seriesQuery: http_inflight, {labels}, name: {{as: top}}, metricsQuery: "topk(1, sum({series}) by (pod))"}}\n'
        f'- {{seriesQuery: odd_value, {labels}, metricsQuery: "{series}"}}\n'
    )
    apis, backend = adapter(read_rules(str(rules)), [servers[0]], servers[1])
    path = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/"
    answer = apis.answer(f"{path}shop/pods/*/top", {"labelSelector": "app in (dots,web)"})
    # webzx has the largest value, and matches the expression web.x.
    assert [item["describedObject"]["name"] for item in answer.document["items"]] == ["web.x"]
    answer = apis.answer(f"{path}odd/pods/*/odd_value", {})
    names = {item["describedObject"]["name"] for item in answer.document["items"]}
    assert not names & {"nan", "pinf", "ninf"} and {"huge", "one"} <= names
    assert backend.left_out.counts == {("odd_value", "not a finite number"): 3}
    # The labels of a sample that is grouped by pods lack the namespace.
    (line,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("odd_value: ")]
    assert " in namespace odd left out: not a finite number" in line
