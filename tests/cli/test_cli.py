"""The command `telegen`."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from telegen import __version__
from telegen.cli.main import COMMANDS, main

NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {"team": "a"}, "creationTimestamp": "2026-01-05T08:00:00Z"},
    "status": {"phase": "Active"},
}
CREATED = 'kube_namespace_created{namespace="%s"} 1767600000\n'


def named(name: str) -> dict[str, object]:
    """A namespace of another name."""
    return {**NAMESPACE, "metadata": {**NAMESPACE["metadata"], "name": name}}  # type: ignore[dict-item]


def render(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str) -> tuple[int, str, str]:
    """Run `telegen render`; return status, standard output and standard error."""
    status = main(["render", str(path), *arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


FORMS = {
    "object": json.dumps(NAMESPACE),
    "list": json.dumps({"apiVersion": "v1", "kind": "List", "items": [NAMESPACE]}),
    "typed list": json.dumps(
        {"apiVersion": "v1", "kind": "NamespaceList", "items": [{k: NAMESPACE[k] for k in ("metadata", "status")}]}
    ),
    "json lines": json.dumps(NAMESPACE) + "\n" + json.dumps(named("other")),
    "concatenated": json.dumps(NAMESPACE) + json.dumps(named("other")),
    "yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, creationTimestamp: 2026-01-05T08:00:00Z}\n",
    "yaml stream": "---\n---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"
    '  creationTimestamp: "2026-01-05T08:00:00Z"\n---\n',
    "array": json.dumps([NAMESPACE, None, {"kind": "List", "items": [named("other")]}]),
    "events": "".join(
        json.dumps({"type": kind, "object": obj}) + "\n"
        for kind, obj in (
            ("ADDED", {**NAMESPACE, "status": None}), ("ADDED", named("gone")), ("MODIFIED", NAMESPACE), ("DELETED", named("gone")),
            ("BOOKMARK", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}}), ("ADDED", named("other")),
        )
    ),
    "events as yaml": "".join(f"type: {kind}\nobject: {json.dumps(NAMESPACE)}\n---\n" for kind in ("ADDED", "MODIFIED")),
    "states of a watch": json.dumps({**NAMESPACE, "status": None}) + json.dumps(NAMESPACE),
    "null lists": json.dumps({"kind": "PodList", "apiVersion": "v1", "items": None}) + json.dumps(NAMESPACE) + "null",
    "deep": json.dumps(NAMESPACE)[:-1] + ', "deep": ' + "[" * 60_000 + "]" * 60_000 + "}",
    "half a character": json.dumps({**NAMESPACE, "spec": {"finalizers": ["\ud800"]}}),
}
ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "gzip": lambda text: gzip.compress(text.encode()),
    "bom": lambda text: text.encode("utf-8-sig"),
    "windows": lambda text: text.encode("utf-16"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_forms_of_input(form: str, encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Objects, Lists, arrays and events, as JSON or YAML in any encoding, give equal pages with each object once."""
    path = tmp_path / "objects"
    path.write_bytes(ENCODINGS[encoding](FORMS[form]))
    status, text, complaints = render(capsys, path)
    assert (status, complaints) == (0, "")
    assert text.count(CREATED % "shop") == 1 and "gone" not in text
    assert (CREATED % "other" in text) == ("other" in FORMS[form])
    assert "kube_pod" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1 column 2"),
        ('{"a": 1}\n{', "line 2 column 2"),
        ("a: [", "line 2, column 1"),
        ("5", "expected a Kubernetes object, got int"),
        ("text", "expected a Kubernetes object, got str"),
        ("[[]]", "expected a Kubernetes object, got list"),
        ('{"type": "ADDED", "object": 1}', "expected a Kubernetes object, got int"),
        ('{"a": ' + "[" * 5000, "line 1 column"),
        ("a: " + "[" * 100_000 + "]" * 100_000, "line 1, column 203: nested deeper than 200 levels"),
        ("".join(" " * level + "a:\n" for level in range(1000)), "line 201, column 201: nested deeper than 200 levels"),
        ("a: !!int x", "invalid literal"),
        ("a: !!bool x", "x"),
    ],
    ids=lambda text: text[:30],
)
def test_unreadable_input(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Malformed input: one line with file and place on standard error, exit status 2, no output."""
    path = tmp_path / "objects"
    path.write_text(text)
    status, out, complaints = render(capsys, path)
    assert (status, out) == (2, "")
    assert complaints.startswith(f"telegen: {path}: ") and message in complaints
    assert complaints.count("\n") == 1


def test_broken_gzip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A download that was cut is an error."""
    path = tmp_path / "objects"
    path.write_bytes(gzip.compress(json.dumps(NAMESPACE).encode())[:-9])
    status, out, complaints = render(capsys, path)
    assert (status, out) == (2, "") and complaints.startswith(f"telegen: {path}: gzip: ") and complaints.count("\n") == 1


def test_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names a missing file."""
    assert render(capsys, tmp_path / "none") == (2, "", f"telegen: {tmp_path / 'none'}: No such file or directory\n")


def test_unknown_kinds_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Objects of unsupported kinds are counted on standard error; the exit status is 0."""
    path = tmp_path / "objects"
    path.write_text(json.dumps({"kind": "List", "items": [{"apiVersion": "v1", "kind": "Gopher"}] * 3 + [NAMESPACE]}))
    status, text, complaints = render(capsys, path)
    assert status == 0 and CREATED % "shop" in text
    assert complaints == "telegen: skipped 3 of v1 Gopher: the kind is not supported or not among the resources\n"


def test_kinds_that_are_incomplete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The count of skipped objects names what they have; an error event of a watch is skipped like them."""
    path = tmp_path / "objects"
    path.write_text('{"type": "ERROR", "object": {"kind": "Status"}} {"metadata": {"name": "a"}, "kind": null, "spec": {}, "items": 5}')
    status, _, complaints = render(capsys, path)
    assert status == 0
    assert [line.split(":")[1] for line in complaints.splitlines()] == [" skipped 1 of Status", " skipped 1 of objects without a kind"]


def test_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--resources, --openmetrics and --config have the same effect as in the agent."""
    path, config = tmp_path / "objects", tmp_path / "config.yaml"
    path.write_text(json.dumps(NAMESPACE))
    config.write_text("kube_metrics: {kube_state: {labels_allowlist: {namespaces: [team]}}}")
    status, text, _ = render(capsys, path, "--openmetrics", "--config", str(config))
    assert status == 0 and text.endswith("# EOF\n")
    assert 'kube_namespace_labels{namespace="shop",label_team="a"} 1\n' in text
    status, text, complaints = render(capsys, path, "--resources", "pods")
    assert (status, text) == (0, "") and "v1 Namespace" in complaints
    config.write_text("kubernetes: {cluster_name: 'a \"b\" 50%'}")
    assert 'kube_namespace_created{cluster="a \\"b\\" 50%",namespace="shop"} ' in render(capsys, path, "--config", str(config))[1]
    config.write_text("kube_metrics: {kube_state: {resources: [pods]}}")
    assert render(capsys, path, "--config", str(config))[1] == ""
    assert CREATED % "shop" in render(capsys, path, "--config", str(config), "--resources", "namespaces")[1]
    status, _, complaints = render(capsys, path, "--resources", "gophers")
    assert status == 2 and "unknown resource gophers; choose from certificatesigningrequests, " in complaints


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "telegen", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=100, check=False)


def test_pipes() -> None:
    """Input comes through a pipe; a reader such as `head` may close the output early without an error."""
    many = json.dumps({"kind": "List", "items": [named(f"n{number}") for number in range(20_000)]})
    assert CREATED % "n7" in run("render", text=many).stdout
    command = f"{sys.executable} -m telegen render - | head -1"
    piped = subprocess.run(["sh", "-c", command], input=many, capture_output=True, text=True, timeout=100, check=True)
    assert piped.stdout.startswith("# HELP") and piped.stderr == ""


def test_excluded_resources_are_not_rendered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """resources_exclude applies unless the command line names the resources."""
    (tmp_path / "objects").write_text(json.dumps(NAMESPACE))
    config = tmp_path / "config.yaml"
    config.write_text("kube_metrics: {kube_state: {resources_exclude: [namespaces]}}")
    assert "kube_namespace" not in render(capsys, tmp_path / "objects", "--config", str(config))[1]
    assert "kube_namespace" in render(capsys, tmp_path / "objects", "--config", str(config), "--resources", "namespaces")[1]


def test_check_config_and_version(tmp_path: Path) -> None:
    """check-config accepts or refuses a file; version and help print to standard output."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("kubernetes: {resource_labels: [app]}")
    bad.write_text("gophers: 1")
    checked = run("check-config", str(good))
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == "kubernetes.resource_labels: accepted for compatibility, without effect\nthe configuration is valid\n"
    refused = run("check-config", str(bad))
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", f"telegen: gophers: unknown key ({bad}:1)\n")
    assert run("version").stdout == f"telegen {__version__}\n"
    for command in ([], ["run"], ["render"]):
        assert "usage: telegen" in run(*command, "--help").stdout
    assert run("gopher").returncode == 2


def test_check_config_of_a_receiver(tmp_path: Path) -> None:
    """check-config refuses the receiver of a push that the agent would refuse at its start."""
    file = tmp_path / "telegen.yaml"
    file.write_text("kube_metrics: {streaming: {enabled: true}, otlp: {protocol: grpc, endpoint: 'http://collector:4317/v1'}}")
    refused = run("check-config", str(file))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("telegen: kube_metrics.otlp.endpoint: gRPC has no path: ")


@pytest.mark.parametrize("module", [["telegen"], ["telegen", "run"], ["telegen.supervisor"]], ids=" ".join)
def test_version_option(module: list[str]) -> None:
    """--version prints the version and exits with 0, for the command, for `run` and for the supervisor."""
    command = [sys.executable, "-m", *module, "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, f"telegen {__version__}\n", "")


@pytest.mark.parametrize("command", [*COMMANDS, "run"])
def test_every_command_is_documented(command: str) -> None:
    """README.md or a document in docs/ names every command."""
    root = Path(__file__).parents[2]
    texts = [path.read_text() for path in (root / "README.md", *(root / "docs").glob("*.md"))]
    documented = any(f"telegen {command}" in text for text in texts)
    assert documented, f"`telegen {command}` is not documented: add it to README.md or a document in docs/"
