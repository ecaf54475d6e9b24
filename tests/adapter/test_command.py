"""The command `telegen adapter`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from telegen.cli.main import main
from tests.adapter.cluster import HERE, object_server
from tests.adapter.replay import Recording, replayed, served_json


@contextmanager
def recorded(case: str, **results: Any) -> Iterator[str]:
    """Serve a case, with the results of further queries; yield the URL."""
    document = json.loads((HERE / f"cases/{case}.json").read_text())
    document["requests"].append({"promql": [{"query": query, "vector": vector} for query, vector in results.get("more", {}).items()]})
    with replayed(Recording(document)) as url:
        yield url


def kubeconfig(folder: Path, url: str) -> str:
    """Write a kubeconfig; return its path."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["adapter", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_check_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each refused rule is a line; the last line counts what can be used."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        "rules:\n- {seriesQuery: a, metricsQuery: <<.Seris>>}\n- {seriesQuery: a, metricsQuery: q}\n"
        "externalRules:\n- {seriesQuery: a, metricsQuery: q, resources: {namespaced: false}}\n"
    )
    code, out, _ = run(capsys, "check-rules", str(path))
    assert (code, out.splitlines()) == (
        1,
        [
            f"{path}:2: rules[0].metricsQuery: no field .Seris; "
            "choose from .Series, .LabelMatchers, .LabelValuesByName, .GroupBy, .GroupBySlice",
            f"warning: {path}:3: rules[1]: neither `template` nor `overrides` name a label: the metric cannot be asked for any object",
            f"{path}: 1 rules, 1 external rules usable, 1 refused",
        ],
    )
    path.write_text("rules: [")
    code, _, err = run(capsys, "check-rules", str(path))
    assert code == 2 and err.startswith(f"telegen: {path}:1: ")
    assert run(capsys, "check-rules", str(tmp_path / "none"))[::2] == (2, f"telegen: {tmp_path}/none: No such file or directory\n")


@pytest.mark.parametrize("further", [(), ("--post", "--header", "X-Scope-OrgID=1")])
def test_explain(further: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A metric has its rule, series, labels, query and values; a value that is not finite is named."""
    query = 'max(odd_value{namespace="odd",pod=~".+"}) by (pod)'
    vector = [[{"pod": "one"}, "1"], [{"pod": "nan"}, "NaN"]]
    path = str(HERE / "cases/odd-numbers.yaml")
    with recorded("odd-numbers", more={query: vector}) as url:
        code, out, _ = run(capsys, "explain", "odd_value", "--rules", path, "--prometheus", url, "--namespace", "odd", *further)
    assert code == 0
    block = out[out.index("pods/odd_value") :].splitlines()[:8]
    assert block == [
        "pods/odd_value (custom)",
        f"  rule: {path}:3: rules[0]",
        f'  series: odd_value, selected by odd_value{{namespace!=""}}, of {url}',
        "  labels: pods by pod, namespace by namespace",
        f"  query: {query}",
        "  samples: 2",
        "    one: 1",
        "    nan: NaN: left out: not a finite number",
    ]


def test_explain_resource_rules(capsys: pytest.CaptureFixture[str]) -> None:
    """CPU of the resource rules has the query and the values of containers and of nodes."""
    containers = 'sum(container_cpu_usage{namespace="data",pod=~".+",container!="",container!="POD"}) by (pod,container)'
    nodes = 'sum(container_cpu_usage{node=~".+",id="/"}) by (node)'
    more = {containers: [[{"pod": "db-0", "container": "db"}, "2"]], nodes: [[{"node": "n1"}, "3.5"]]}
    path = str(HERE / "cases/resource-gauges.yaml")
    with recorded("resource-gauges", more=more) as url:
        code, out, _ = run(capsys, "explain", "cpu", "--rules", path, "--prometheus", url, "--namespace", "data")
    assert (code, out.splitlines()) == (
        0,
        [
            *("pods/cpu (resource)", f"  rule: {path}:6: resourceRules.cpu.resources", f"  query: {containers}"),
            *("  samples: 1", "    db-0/db: 2"),
            *("nodes/cpu (resource)", f"  rule: {path}:6: resourceRules.cpu.resources", f"  query: {nodes}"),
            *("  samples: 1", "    n1: 3500m"),
            *("pods/cpu, nodes/cpu (resource, live)", "  value: CPU time per second, in cores"),
            *("  source: column cpu of containers and nodes, by the agents", "  replaced by: resourceRules"),
        ],
    )


@pytest.mark.parametrize(
    ("case", "metric", "line"),
    [
        ("plain-gauge", "http_inflght", "http_inflght is not registered, did you mean http_inflight?"),
        ("plain-gauge", "x", "rules[0]: makes other names: http_inflight"),
        ("filters", "http_inflight", "rules[0]: makes other names: q_depth, q_oldest_age_seconds"),
        ("failing-queries", "nothing_has_this_name", "rules[9]: seriesQuery selects no series: nothing_has_this_name"),
        ("failing-queries", "no_namespace_label", "rules[7]: no label for namespaces: add one to overrides"),
        ("failing-queries", "no_mapping", "externalRules[2]: no label for namespaces: add one to overrides, or write `namespaced: false`"),
        ("failing-queries", "no_field", "rules[4].metricsQuery: no field .Nothing"),
        ("one-bad-series-query", "http_inflight_peak", "rules[1]: seriesQuery: http://127.0.0.1:"),
        ("groups", "topic_lag", "rules[5]: resources.overrides.topic: the cluster has no resource kafkatopic.streams.example.com"),
    ],
)
def test_reason_of_absence(case: str, metric: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A metric that is not registered has the reason of each rule."""
    with recorded(case) as url:
        code, out, _ = run(capsys, "explain", metric, "--rules", str(HERE / f"cases/{case}.yaml"), "--prometheus", url)
    assert code == 1 and line in out


def test_explain_by_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a kubeconfig the resources of that cluster count, custom resources among them."""
    with recorded("groups") as url, object_server() as cluster:
        arguments = ("--rules", str(HERE / "cases/groups.yaml"), "--prometheus", url, "--kubeconfig", kubeconfig(tmp_path, cluster))
        code, out, _ = run(capsys, "explain", "topic_lag", *arguments)
    assert code == 0 and "kafkatopics.streams.example.com/topic_lag (custom)" in out


def test_later_rule_wins(capsys: pytest.CaptureFixture[str]) -> None:
    """The rule that is replaced is named."""
    path = str(HERE / "cases/later-wins.yaml")
    with recorded("later-wins") as url:
        out = run(capsys, "explain", "contested", "--rules", path, "--prometheus", url)[1]
    assert f"  rule: {path}:7: rules[1]\n" in out and f"  replaces: {path}:3: rules[0]\n" in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--prometheus", "localhost:9090"), "--prometheus: expected http://HOST:PORT or https://HOST:PORT, with a path at most"),
        ((), "--rules: needs --prometheus, the server that the rules ask"),
        (("--prometheus", "http://a:b@[::"), "--prometheus: expected http://HOST:PORT or https://HOST:PORT, with a path at most"),
        (("--prometheus", "http://127.0.0.1:1", "--max-age", "soon"), "--max-age: 'soon' is no duration; write 30s, 10m or 1h30m"),
        (("--prometheus", "http://127.0.0.1:1", "--header", "a"), "--header: expected NAME=VALUE, got 'a'"),
    ],
)
def test_wrong_argument(arguments: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong argument is one line."""
    code, _, err = run(capsys, "explain", "x", "--rules", str(HERE / "cases/plain-gauge.yaml"), *arguments)
    assert (code, err) == (2, f"telegen: {line}\n")


@pytest.mark.parametrize("name", ["telegen-adapter", "/telegen-adapter", "telegen/"])
def test_wrong_service(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A Service without a namespace is one line, before a cluster is asked: no APIService could be its own."""
    assert run(capsys, "check", "--service", name)[::2] == (2, f"telegen: --service: expected NAMESPACE/NAME, got {name!r}\n")


def test_explain_a_metric_of_agents(capsys: pytest.CaptureFixture[str]) -> None:
    """Without rules a live metric has its value, its column and the combination, for each resource."""
    code, out, _ = run(capsys, "explain", "cpu_throttled_ratio")
    assert (code, out.splitlines()) == (
        0,
        [
            *("pods/cpu_throttled_ratio (custom, live)", "  value: share of CFS periods that were throttled, 0 to 1"),
            "  source: column cpu_throttled_ratio of containers, by the agents; highest of the containers of the pod",
            *("namespaces/cpu_throttled_ratio (custom, live)", "  value: share of CFS periods that were throttled, 0 to 1"),
            "  source: highest of the pods of the namespace",
        ],
    )
    code, out, _ = run(capsys, "explain", "kube_job_status_failed_count")
    assert code == 0 and "number of the samples of kube_job_status_failed in the namespace" in out
    code, out, _ = run(capsys, "explain", "kube_pod_info")
    assert code == 1 and "kube_pod_info is a family of the agents: add it to adapter.external_families" in out
    code, out, _ = run(capsys, "explain", "cpu_usge")
    assert (code, out) == (1, "cpu_usge is not registered, did you mean cpu_usage?\n")


def test_precedence_of_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A live metric that a rule replaces names that rule; its other resources stay live. Resource rules replace CPU and memory."""
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n- {seriesQuery: swap, resources: {template: <<.Resource>>}, metricsQuery: <<.Series>>}\n")
    series = [{"__name__": "swap", "namespace": "shop", "pod": "x"}]

    def answer(kind: str, form: dict[str, str]) -> tuple[int, Any]:
        return 200, {"status": "success", "data": series if kind.endswith("series") else {"resultType": "vector", "result": []}}

    with served_json(answer) as url:
        out = run(capsys, "explain", "swap", "--rules", str(path), "--prometheus", url)[1]
    assert f"pods/swap (custom)\n  rule: {path}:2: rules[0]" in out
    blocks = {block.partition(" ")[0]: block for block in out.split("\n") if block.endswith("live)")}
    assert list(blocks) == ["pods/swap", "namespaces/swap", "nodes/swap"]
    assert out.count(f"  replaced by: {path}:2: rules[0]") == 2
    rules = str(HERE / "cases/resource-gauges.yaml")
    with recorded("resource-gauges") as url:
        out = run(capsys, "explain", "memory", "--rules", rules, "--prometheus", url)[1]
    assert out.endswith("by the agents\n  replaced by: resourceRules\n")


def test_explain_without_prometheus(capsys: pytest.CaptureFixture[str]) -> None:
    """While Prometheus does not answer, a live metric is explained, with the rule that may replace it; a metric of that rule is not."""
    rules = str(HERE / "cases/plain-gauge.yaml")
    with served_json(lambda kind, form: (503, {})) as url:
        arguments = ("--rules", rules, "--prometheus", url)
        code, out, _ = run(capsys, "explain", "cpu_pressure", *arguments)
        assert code == 0 and out.startswith("pods/cpu_pressure (custom, live)\n")
        assert f"\n  a rule may replace it: {rules}:3: rules[0]: seriesQuery: {url}: " in out
        code, out, _ = run(capsys, "explain", "cpu", *arguments)
        assert code == 0 and "may replace" not in out
        code, out, _ = run(capsys, "explain", "http_inflight", *arguments)
        assert code == 1 and f"  {rules}:3: rules[0]: seriesQuery: {url}: " in out


def test_values_of_agents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a kubeconfig the values are those that the API server answers; one that does not answer is named."""
    asked = list[str]()

    def answer(path: str, form: dict[str, str]) -> tuple[int, Any]:
        asked.append(path)
        if path in ("/api", "/apis"):
            return 200, {"kind": "APIGroupDiscoveryList", "items": []}
        if "/nodes/" in path:
            return 200, {"items": [{"describedObject": {"name": "n1"}, "value": "250m"}]}
        return 503, {"kind": "Status", "message": "usage is not available"}

    with served_json(answer) as url:
        out = run(capsys, "explain", "cpu_usage", "--namespace", "shop", "--kubeconfig", kubeconfig(tmp_path, url))[1]
    path = "/apis/custom.metrics.k8s.io/v1beta2"
    assert f"  values: 1, by {path}/nodes/*/cpu_usage\n    n1: 250m\n" in out
    assert f"  no values: {path}/namespaces/shop/pods/*/cpu_usage: 503: usage is not available\n" in out
    assert f"{path}/namespaces/shop/metrics/cpu_usage" in asked
