"""`telegen custom` against a simulated cluster, and its errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from telegen.cli.main import main
from telegen.demo.server import SimulatedServer
from tests.bench.custom_cluster import configuration, make_state


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration of two kinds, of which the cluster has one."""
    path = tmp_path / "custom.yaml"
    path.write_text(json.dumps(configuration(2)))
    return path


def kubeconfig(folder: Path, url: str) -> str:
    path = folder / "kubeconfig"
    names = {"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}
    path.write_text(json.dumps({**names, "users": [{"name": "x", "user": {}}], "clusters": [{"name": "x", "cluster": {"server": url}}]}))
    return str(path)


def test_check_against_a_cluster(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the number of series of each family and of all, and the kinds that are not served."""
    server = SimulatedServer(make_state(1, 250)).start()
    try:
        assert main(["custom", "check", str(file), "--against-cluster", "--kubeconfig", kubeconfig(tmp_path, server.url)]) == 0
    finally:
        server.stop()
    lines = capsys.readouterr().out.splitlines()
    assert "bench.example/v1 Thing0: 250 objects, 17250 series" in lines
    assert "  thing0_zone_ready: 1500" in lines
    assert lines[-3:-1] == ["bench.example/v1 Thing1: the API server does not serve this kind", "17250 series"]


def test_failures_against_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A family that is left out for objects of the cluster has a line with their number and the cause; an aggregate is a series."""
    path = tmp_path / "metrics.yaml"
    resource = "{group: bench.example, kind: Thing0}"
    metrics = "[{name: a, value: status.phase / 2}, {name: b, aggregate: count}]"
    path.write_text(f"metrics: [{{resource: {resource}, prefix: own, metrics: {metrics}}}]")
    server = SimulatedServer(make_state(1, 7)).start()
    try:
        assert main(["custom", "check", str(path), "--against-cluster", "--kubeconfig", kubeconfig(tmp_path, server.url)]) == 0
    finally:
        server.stop()
    out = capsys.readouterr().out
    assert "warning: own_a: left out for 7 objects; the first cause: " in out
    assert "Thing0: 7 objects, 1 series\n  own_a: 0\n  own_b: 1\n" in out


def test_rights_of_a_cluster(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a cluster the rights name its resources; without, they are guesses and marked."""
    server = SimulatedServer(make_state(1, 1)).start()
    try:
        assert main(["custom", "rbac", str(file), "--against-cluster", "--kubeconfig", kubeconfig(tmp_path, server.url)]) == 0
    finally:
        server.stop()
    role, _ = yaml.safe_load_all(capsys.readouterr().out)
    assert role["rules"][1] == {"apiGroups": ["bench.example"], "resources": ["things0"], "verbs": ["list", "watch"]}
    assert main(["custom", "rbac", str(file)]) == 0
    assert "# bench.example/thing0s: guessed from the kind Thing0" in capsys.readouterr().out


def test_rights_of_known_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kinds of Kubernetes and of packs have their real resource names, without a cluster too, in both formats."""
    path = tmp_path / "metrics.yaml"
    kinds = ("{kind: Endpoints}", "{group: networking.k8s.io, kind: Ingress}", "{group: operators.coreos.com, kind: ClusterServiceVersion}")
    entries = ", ".join(f"{{resource: {kind}, metrics: [{{name: a{place}, value: 1}}]}}" for place, kind in enumerate(kinds))
    path.write_text(f"metrics: [{entries}]")
    assert main(["custom", "rbac", str(path)]) == 0
    text = capsys.readouterr().out
    role, _ = yaml.safe_load_all(text)
    granted = {(rule["apiGroups"][0], *rule["resources"]) for rule in role["rules"]}
    assert {("", "endpoints"), ("networking.k8s.io", "ingresses"), ("operators.coreos.com", "clusterserviceversions")} < granted
    assert "guessed" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "/no/such/file"], "telegen: /no/such/file: No such file or directory"),
        (["rbac"], "telegen: name a FILE, --packs or --health"),
        (["rbac", "--packs", "x"], "telegen: unknown pack x; the packs are openshift, openshift-cluster, vpa, "),
        (["rbac", "--health", "apps"], "telegen: --health: 'apps' is no API group of custom resources; name groups such as"),
        (["check", "FILE", "--against-cluster", "--kubeconfig", "/no/such/file"], "telegen: discovery: /no/such/file: no such file"),
    ],
)
def test_errors(arguments: list[str], message: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error is one line, with exit status 2."""
    assert main(["custom", *[str(file) if one == "FILE" else one for one in arguments]]) == 2
    assert capsys.readouterr().err.startswith(message)


TWICE = b"metrics: [{resource: {kind: Pod}, metrics: [{name: a, value: a}, {name: a, value: b}]}]"
REFUSED = {
    TWICE: "1: metrics[0].metrics[1]: kube_pod_a: two metrics of Pod have this name, ",
    b"spec: {resources: []}\n#" + b"x" * (4 << 20): " larger than 4194304 bytes",
    "spec: {resources: []}".encode("utf-16"): " not UTF-8: ",
}


@pytest.mark.parametrize("content", REFUSED, ids=["names", "size", "encoding"])
def test_check_refuses_what_the_agent_refuses(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command refuses a repeated name, a file of more than 4 MiB and another encoding, as the agent does."""
    path = tmp_path / "custom.yaml"
    path.write_bytes(content)
    assert main(["custom", "check", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"telegen: {path}:{REFUSED[content]}")


def test_check_reads_a_device_with_a_bound(capsys: pytest.CaptureFixture[str]) -> None:
    """A device without an end is refused."""
    assert main(["custom", "check", "/dev/zero"]) == 2
    assert capsys.readouterr().err == "telegen: /dev/zero: larger than 4194304 bytes\n"


@pytest.mark.parametrize("command", [["custom", "check"], ["check-config"]], ids=lambda words: words[-1])
def test_warning_of_a_built_in_name(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A metric with the name of a built-in family gives a warning, and is valid."""
    metrics = [{"resource": {"kind": "Pod"}, "metrics": [{"name": "info", "value": "1"}]}]
    settings = {"kube_metrics": {"kube_state": {"custom_resource_state": {"metrics": metrics}}}}
    path = tmp_path / "file.yaml"
    path.write_text(json.dumps(settings if command == ["check-config"] else {"metrics": metrics}))
    assert main([*command, str(path)]) == 0
    assert "kube_pod_info: also the name of a built-in family" in capsys.readouterr().out


def test_warning_of_a_built_in_name_in_the_compatible_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A family of the format of kube-state-metrics with the name of a built-in one gives a warning, and is valid."""
    metric = {"name": "info", "each": {"type": "Gauge", "gauge": {"path": ["spec", "n"]}}}
    entry = {"groupVersionKind": {"group": "a.example", "kind": "Foo"}, "metricNamePrefix": "kube_pod", "metrics": [metric]}
    path = tmp_path / "file.yaml"
    path.write_text(json.dumps({"spec": {"resources": [entry]}}))
    assert main(["custom", "check", str(path)]) == 0
    assert "kube_pod_info: also the name of a built-in family" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["[1, 2]", "hello"])
def test_check_of_another_document(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A document that is no map gives one line."""
    path = tmp_path / "custom.yaml"
    path.write_text(text)
    assert main(["custom", "check", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_render_names_the_cause_of_a_missing_family(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A family that an expression leaves out has one line with the number of objects and the first cause."""
    path, objects = tmp_path / "custom.yaml", tmp_path / "objects.json"
    path.write_text("metrics: [{resource: {kind: Pod}, prefix: my, metrics: [{name: a, value: spec.a * 0.5}]}]")
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "x", "name": name}, "spec": {"a": 4}} for name in "ab"]
    objects.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))
    assert main(["custom", "render", str(path), str(objects)]) == 0
    assert capsys.readouterr().err == "telegen: my_a: left out for 2 objects: EvaluationError: * does not accept int, double\n"


def test_labels_of_a_map_do_not_repeat_those_of_the_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys `namespace` and `name` of a map become other labels: a repeated label makes the whole page invalid."""
    path, objects = tmp_path / "custom.yaml", tmp_path / "objects.json"
    path.write_text("metrics: [{resource: {kind: Pod}, prefix: my, metrics: [{name: a_info, type: Info, labelsFrom: [metadata.labels]}]}]")
    metadata = {"namespace": "x", "name": "y", "labels": {"name": "z", "namespace": "w", "v": "u"}}
    objects.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}))
    assert main(["custom", "render", str(path), str(objects)]) == 0
    sample = 'my_a_info{namespace="x",name="y",exported_name="z",exported_namespace="w",v="u"} 1'
    assert capsys.readouterr().out.splitlines()[-1] == sample


def test_labels_do_not_repeat_that_of_the_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A label `cluster` of an expression or of a map becomes another one beside that of the agent."""
    path, objects = tmp_path / "agent.yaml", tmp_path / "objects.json"
    metrics = [{"name": "a", "value": "1", "labels": {"cluster": "'w'"}}, {"name": "b", "value": "1", "labelsFrom": ["metadata.labels"]}]
    custom = {"metrics": [{"resource": {"kind": "Pod"}, "prefix": "my", "metrics": metrics}]}
    path.write_text(json.dumps({"kubernetes": {"cluster_name": "c"}, "kube_metrics": {"kube_state": {"custom_resource_state": custom}}}))
    objects.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "y", "labels": {"cluster": "w"}}}))
    assert main(["render", str(objects), "--config", str(path)]) == 0
    samples = [line for line in capsys.readouterr().out.splitlines() if line.startswith("my_")]
    assert samples == [f'my_{name}{{cluster="c",name="y",exported_cluster="w"}} 1' for name in "ab"]


def test_rights_for_health(capsys: pytest.CaptureFixture[str]) -> None:
    """The rights to all groups are explained and not granted; those to definitions and APIServices are those of the component. A named
    group is one rule."""
    assert main(["custom", "rbac", "--health", "auto"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# The rights to the custom resources of all API groups are not below")
    assert "*" not in printed.partition("\napi")[2]
    component = Path(__file__).parents[2] / "k8s" / "components" / "custom-resources-health" / "rbac.yaml"
    written = component.read_text().replace("telegen-custom-resources-health", "telegen-custom-resources")
    assert list(yaml.safe_load_all(printed)) == list(yaml.safe_load_all(written))
    assert main(["custom", "rbac", "--health", "shop.example"]) == 0
    role, _ = yaml.safe_load_all(capsys.readouterr().out)
    assert {"apiGroups": ["shop.example"], "resources": ["*"], "verbs": ["list", "watch"]} in role["rules"]


def test_rights_for_health_of_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The kinds that a cluster serves are named one by one, those of Kubernetes are not among them."""
    server = SimulatedServer(make_state(1, 1)).start()
    try:
        arguments = ["--health", "auto", "--against-cluster", "--kubeconfig", kubeconfig(tmp_path, server.url)]
        assert main(["custom", "rbac", *arguments]) == 0
    finally:
        server.stop()
    role, _ = yaml.safe_load_all(capsys.readouterr().out)
    groups = {group for rule in role["rules"] for group in rule["apiGroups"]}
    assert groups == {"apiextensions.k8s.io", "apiregistration.k8s.io", "bench.example"}


@pytest.mark.parametrize("command", ["check", "render"])
def test_problems_of_the_file(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A malformed file is refused with its own name, whatever the command."""
    path = tmp_path / "metrics.yaml"
    path.write_text("metrics: [{resource: {kind: Pod}, metrics: [{name: a, valeu: 1}]}]")
    assert main(["custom", command, str(path), *(["/dev/null"] if command == "render" else [])]) == 2
    assert capsys.readouterr().err == f"telegen: {path}:1: metrics[0].metrics[0].valeu: unknown key; did you mean value?\n"


SELECTING = """
metrics:
- resource: {group: batch, kind: Job}
  prefix: jobs
  selector: {labels: "app in (a, b), !gone", fields: "metadata.name!=c,spec.suspend=false", namespaces: [shop]}
  metrics:
  - {name: failed_total, type: Counter, value: status.failed}
  - {name: by_team, aggregate: count, by: {team: namespaceLabels.team}}
"""


def test_render_selects_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`render` shows the objects that the API server would select, their aggregates, and in OpenMetrics the starts of their counters."""
    file, other = tmp_path / "metrics.yaml", tmp_path / "objects.json"
    file.write_text(SELECTING)
    created = "2026-01-31T12:00:00Z"

    def job(name: str, namespace: str = "shop", **labels: str) -> dict[str, Any]:
        metadata = {"name": name, "namespace": namespace, "creationTimestamp": created, "labels": {"app": "a", **labels}}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"suspend": False}, "status": {"failed": 2}}

    jobs = [job("a"), job("b", app="x"), job("c"), job("d", gone=""), job("e", "lab"), {**job("f"), "spec": {}}, job("g", app="b")]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "t"}}}
    other.write_text(json.dumps([namespace, *jobs]))
    assert main(["custom", "render", str(file), str(other), "--openmetrics"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line[0] != "#"]
    assert lines == [
        'jobs_failed_total{namespace="shop",name="a"} 2',
        'jobs_failed_created{namespace="shop",name="a"} 1769860800',
        'jobs_failed_total{namespace="shop",name="g"} 2',
        'jobs_failed_created{namespace="shop",name="g"} 1769860800',
        'jobs_by_team{team="t"} 2',
    ]


def test_rights_to_namespaces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Expressions that read the labels of namespaces need the right to list these."""
    file = tmp_path / "metrics.yaml"
    file.write_text(SELECTING)
    assert main(["custom", "rbac", str(file)]) == 0
    (role, _) = yaml.safe_load_all(capsys.readouterr().out)
    assert {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]} in role["rules"]


@pytest.mark.parametrize(
    "selector, message",
    [
        ("labels: 'a in b'", "selector.labels: 'a in b': unable to parse requirement: found 'b', expected: '('; write it as for kubectl"),
        ("fields: metadata.name", "selector.fields: 'metadata.name' is no term; write FIELD=VALUE or FIELD!=VALUE"),
    ],
)
def test_malformed_selectors(selector: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` refuses selectors that an API server would refuse."""
    file = tmp_path / "metrics.yaml"
    file.write_text(f"metrics: [{{resource: {{kind: Pod}}, selector: {{{selector}}}, metrics: [{{name: a, value: 1}}]}}]")
    assert main(["custom", "check", str(file)]) == 2
    assert message in capsys.readouterr().err


def test_check_counts_metrics_by_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Metrics of either form are counted."""
    path = tmp_path / "metrics.yaml"
    path.write_text("metrics: [{resource: {group: g.example, kind: Thing}, metrics: [{name: a, path: spec.a}, {name: b, value: spec.b}]}]")
    assert main(["custom", "check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: valid: 1 entries, 2 families\n"


def test_convert_of_the_new_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that has metrics with expressions is not converted, and the message says so."""
    path = tmp_path / "metrics.yaml"
    path.write_text("metrics: []")
    assert main(["custom", "convert", str(path)]) == 2
    assert "metrics with expressions already; expected spec.resources of kube-state-metrics" in capsys.readouterr().err


def test_render_without_the_last_applied_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in the agent, annotations of objects lack that of kubectl with the whole object."""
    path, objects = tmp_path / "metrics.yaml", tmp_path / "objects.yaml"
    path.write_text("metrics: [{resource: {group: g.example, kind: Thing}, metrics: [{name: a, value: metadata.annotations.size()}]}]")
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"}
    metadata = {"name": "x", "namespace": "n", "annotations": annotations}
    objects.write_text(json.dumps({"apiVersion": "g.example/v1", "kind": "Thing", "metadata": metadata}))
    assert main(["custom", "render", str(path), str(objects)]) == 0
    assert capsys.readouterr().out.endswith('kube_thing_a{namespace="n",name="x"} 1\n')


def test_check_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The files of a folder are checked together: one line per problem of a file, and per conflict between files."""
    text = "metrics: [{resource: {group: g.example, kind: Thing}, metrics: [{name: %s, value: spec.n}]}]"
    for name, metric in (("a.yaml", "n"), ("b.yml", "m"), ("ignored.txt", "n"), (".hidden.yaml", "n")):
        (tmp_path / name).write_text(text % metric)
    assert main(["custom", "check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: valid: 2 entries, 2 families\n"
    (tmp_path / "c.json").write_text(text % "n")
    (tmp_path / "d.yaml").write_text(text % "x, valeu: 1")
    assert main(["custom", "check", str(tmp_path)]) == 2
    unknown, conflict = capsys.readouterr().err.splitlines()
    assert f"{tmp_path}/d.yaml:1: metrics[0].metrics[0].valeu: unknown key; did you mean value?" in unknown
    assert f"{tmp_path}/c.json:1: metrics[0].metrics[0]: kube_thing_n: two metrics of g.example/Thing have this name" in conflict


def test_check_of_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without a configuration is refused."""
    assert main(["custom", "check", str(tmp_path)]) == 2
    assert "no configuration in the folder; add a file" in capsys.readouterr().err
