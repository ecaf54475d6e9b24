"""Labels that `labels_on_series` adds to series."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from telegen.cli.main import main
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.series_labels import OWN_LABELS, has_own
from tests.kubestate.fixtures import CASES
from tests.kubestate.parity import repeated

CONFIG = """
kube_metrics:
  kube_state:
    labels_allowlist: {"*": ["*"]}
    labels_on_series:
      labels: {pods: [app, "tier*"], "*": [team]}
      annotations: {deployments: ["example.com/owner"]}
      namespace_labels: [cost-center]
      namespace_annotations: [contact]
      workload: true
"""
METADATA = {"namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1"}
OWNER = {"kind": "ReplicaSet", "name": "web-abc", "controller": True, "apiVersion": "apps/v1", "uid": "r"}


def made(api_version: str, kind: str, **metadata: Any) -> dict[str, Any]:
    """Return an object whose UID is the first letter of its kind."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"uid": kind[0].lower(), **metadata}}


def render(capsys: pytest.CaptureFixture[str], folder: Path, *objects: dict[str, Any]) -> str:
    """Return the page of objects with the configuration above."""
    config, file = folder / "config.yaml", folder / "objects.json"
    config.write_text(CONFIG)
    file.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": objects}))
    assert main(["render", "--config", str(config), str(file)]) == 0
    return capsys.readouterr().out


def test_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Series of an object have its allowed labels and annotations, those of its namespace, and its workload; families of all labels
    are left alone."""
    labels = {"app": 'we"b', "tier": "front", "tier-two": "x", "team": "a", "other": "no", "pod-template-hash": "abc"}
    page = render(
        capsys,
        tmp_path,
        made("v1", "Namespace", name="shop", labels={"cost-center": "7"}, annotations={"contact": "x@y"}),
        made("v1", "Pod", **METADATA, name="web-1", labels=labels, ownerReferences=[OWNER]),
        made("apps/v1", "ReplicaSet", **METADATA, name="web-abc", ownerReferences=[{**OWNER, "kind": "Deployment", "name": "web"}]),
        made("apps/v1", "Deployment", **METADATA, name="web", annotations={"example.com/owner": "me"}),
    )
    namespace = 'namespace_label_cost_center="7",namespace_annotation_contact="x@y"'
    pod = f'label_app="we\\"b",label_tier="front",label_tier_two="x",label_team="a",workload="web",workload_kind="Deployment",{namespace}'
    expected = ",".join(sorted(pod.split(",")))
    found = re.search(r'^kube_pod_created\{namespace="shop",pod="web-1",uid="p",(.*)\} ', page, re.MULTILINE)
    assert found and ",".join(sorted(found[1].split(","))) == expected
    assert f'kube_replicaset_created{{namespace="shop",replicaset="web-abc",workload="web",workload_kind="Deployment",{namespace}}}' in page
    assert f'kube_deployment_created{{namespace="shop",deployment="web",annotation_example_com_owner="me",{namespace}}}' in page
    assert re.search(r'^kube_pod_labels\{namespace="shop",pod="web-1",uid="p",label_app="we\\"b",label_other="no"', page, re.MULTILINE)
    assert repeated(page) == []


def test_values_and_labels_are_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An annotation of 256 kB, or a thousand labels, of a tenant do not stand on every series of the object."""
    labels = {"app": "web", **{f"tier{place:04}": "x" for place in range(1000)}}
    page = render(
        capsys,
        tmp_path,
        made("v1", "Pod", **METADATA, name="web-1", labels=labels),
        made("apps/v1", "Deployment", **METADATA, name="web", annotations={"example.com/owner": "m" * 1025}),
        made("apps/v1", "Deployment", **METADATA, name="api", annotations={"example.com/owner": "m" * 1024}),
    )
    assert 'kube_deployment_created{namespace="shop",deployment="web"} ' in page
    assert f'kube_deployment_created{{namespace="shop",deployment="api",annotation_example_com_owner="{"m" * 1024}"}} ' in page
    found = re.search(r"^kube_pod_created\{(.*)\} ", page, re.MULTILINE)
    assert found and found[1].count("label_") == 64 and 'label_app="web"' in found[1]


@pytest.mark.parametrize("resource", [name for name in RESOURCES if (CASES / name / "objects.json").exists()])
def test_no_label_twice(resource: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No series of the recorded objects has a label name twice."""
    config = tmp_path / "config.yaml"
    config.write_text(
        "kube_metrics: {kube_state: {labels_on_series: {labels: {'*': ['*']}, annotations: {'*': ['*']}, workload: true}, "
        "labels_allowlist: {'*': ['*']}, annotations_allowlist: {'*': ['*']}}}"
    )
    assert main(["render", "--config", str(config), str(CASES / resource / "objects.json")]) == 0
    for line in capsys.readouterr().out.split("\n"):
        names = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"', line) if not line.startswith("#") else []
        assert len(names) == len(set(names)), line


def test_families_with_such_labels() -> None:
    """Only families of labels and annotations have labels with the names of additional ones, none of them by a projection."""
    families = [family for resource in RESOURCES.values() for family in resource.families if has_own(family)]
    assert families and all(family.name.endswith(("_labels", "_annotations")) and family.input is None for family in families)
    identities = {name for resource in RESOURCES.values() for name, _ in resource.identity}
    assert not [name for name in identities if name.startswith(OWN_LABELS)]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("labels: {podz: [a]}", "labels_on_series.labels: unknown resource podz, did you mean pods?"),
        ("labels: {pods: ['a*b*']}", "labels_on_series.labels.pods[0]: a*b*: at most one * is allowed"),
        ("namespace_labels: ['**']", "labels_on_series.namespace_labels[0]: **: at most one * is allowed"),
    ],
)
def test_invalid_settings(setting: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake is one line with the path of the setting."""
    config = tmp_path / "config.yaml"
    config.write_text(f"kube_metrics: {{kube_state: {{labels_on_series: {{{setting}}}}}}}")
    assert main(["check-config", str(config)]) == 2
    assert message in capsys.readouterr().err
