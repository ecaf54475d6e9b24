"""Packs against the recorded pages of the programs whose families they have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from telegen.cli.main import main
from telegen.kubestate.packs.registry import AUTO, NAMES, PACKS
from telegen.kubestate.registry import RESOURCES
from tests.kubestate.custom.pages import Page, difference, parse
from tests.kubestate.parity import repeated

CASES = Path(__file__).parent / "cases"
OURS = {
    "kube_verticalpodautoscaler_status_condition",
    "openshift_build_status_reason",
    "openshift_deploymentconfig_owner",
    "openshift_deploymentconfig_status_condition",
    "openshift_deploymentconfig_status_replicas_ready",
    "openshift_route_admitted",
}
"""Families that the replaced programs do not have."""
ALLOWLISTS = "    labels_allowlist: {verticalpodautoscalers: ['*']}\n    annotations_allowlist: {verticalpodautoscalers: ['*']}\n"
CONFIG = "kube_metrics:\n  kube_state:\n    custom_resource_state: {{packs: [{packs}], only: true}}\n"
OPERATORS = re.compile(
    r"argocd_app_|certmanager_|csv_|cluster_operator_|cluster_version|rollout_info|gotk_reconcile|keda_scale|velero_backup"
    r"|cnpg_collector|ceph_"
)
"""Families that operators serve themselves: a pack with one of these names would double every sum."""


def render(capsys: pytest.CaptureFixture[str], folder: Path, objects: Path, packs: str, more: str = "") -> str:
    """Return the page of `telegen render` for some packs."""
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(packs=packs) + more)
    assert main(["render", "--config", str(config), str(objects)]) == 0
    return capsys.readouterr().out


def ordered(page: Page) -> Page:
    """Sort the labels of families of all labels: openshift-state-metrics has them in random order."""
    return {
        name: (kind, {_sorted(series) if name.endswith("_labels") else series: values for series, values in found.items()})
        for name, (kind, found) in page.items()
    }


def _sorted(series: str) -> str:
    return ",".join(sorted(re.findall(r'\w+="(?:[^"\\]|\\.)*"', series)))


@pytest.mark.parametrize(
    ("pack", "recorded", "more"),
    [("openshift", "expected", ""), ("vpa", "default", ""), ("vpa", "all", ALLOWLISTS), (AUTO, "openshift/expected", "")],
)
def test_recorded_page(pack: str, recorded: str, more: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page has exactly the recorded families, series and values, each series once."""
    folder = CASES / recorded.partition("/")[0] if "/" in recorded else CASES / pack
    lists: dict[str, Any] = json.loads((folder / "objects.json").read_text())
    if pack == "vpa":
        # Both versions of the same objects were recorded; the peer reads v1beta2.
        lists = {key: listed for key, listed in lists.items() if "v1beta2" in key}
    objects = tmp_path / "objects.json"
    objects.write_text(json.dumps(lists))
    page = render(capsys, tmp_path, objects, pack, more)
    got = {name: family for name, family in parse(page).items() if name not in OURS and not name.startswith("telegen_")}
    wanted = parse((folder / f"{recorded.rpartition('/')[2]}.prom").read_bytes().decode())
    assert difference(ordered(wanted), ordered(got)) == []
    assert repeated(page) == []


def test_newest_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several served versions only the newest is read."""
    lists = json.loads((CASES / "vpa" / "objects.json").read_text())
    assert {key.split("/")[1] for key in lists} == {"v1", "v1beta2"}
    page = render(capsys, tmp_path, CASES / "vpa" / "objects.json", "vpa")
    assert page.count("kube_verticalpodautoscaler_labels{") == len(lists["autoscaling.k8s.io/v1/verticalpodautoscalers"]["items"])


MALFORMED = [
    ("Route", "route.openshift.io/v1", {"spec": {"to": {}}}, 'to_weight=""', ""),
    ("Route", "route.openshift.io/v1", {"spec": None, "status": None}, "openshift_route_info", ""),
    ("Build", "build.openshift.io/v1", {"status": {"phase": 5}}, "openshift_build_created", "openshift_build_status_phase_total"),
    (
        "DeploymentConfig", "apps.openshift.io/v1", {"spec": {"strategy": {"rollingParams": {"maxSurge": "x%", "maxUnavailable": "7"}}}},
        "max_unavailable{", "max_surge{",
    ),
    ("ClusterResourceQuota", "quota.openshift.io/v1", {"spec": {"quota": {"hard": {"pods": "many"}}}}, "_created{", "_usage{"),
]


@pytest.mark.parametrize(("kind", "version", "content", "shown", "hidden"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_object(
    kind: str, version: str, content: Any, shown: str, hidden: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object at which openshift-state-metrics ends, or hides the whole kind, costs at most one family of its own."""
    metadata = {"name": "x", "namespace": "n", "creationTimestamp": "2026-01-01T00:00:00Z", "uid": "u"}
    objects = tmp_path / "objects.json"
    objects.write_text(json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, **content}))
    page = render(capsys, tmp_path, objects, "openshift")
    assert shown in page
    assert not hidden or not re.search(rf"^\w*{hidden}", page, re.MULTILINE)


def test_no_secret_of_a_route_is_decoded() -> None:
    """The tables of routes read neither the private key nor the certificates."""
    reads = next(one.table.needs for one in PACKS["openshift"].resources if one.table.kind == "Route")
    assert reads
    assert [path for path in reads if "spec.tls".startswith(path) or path.startswith("spec.tls")] == ["spec.tls.termination"]


def test_names() -> None:
    """No family of a pack has the name of another table's family, or one that an operator serves itself."""
    names = [family.name for pack in PACKS.values() for one in pack.resources for family in one.table.families]
    built_in = {family.name for table in RESOURCES.values() for family in table.families}
    assert len(names) == len(set(names)) and not built_in.intersection(names)
    assert not list(filter(OPERATORS.match, names))
    assert not {one.table.name for pack in PACKS.values() for one in pack.resources}.intersection(RESOURCES)


def test_unknown_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown pack is refused with the known ones."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(packs="openshfit"))
    assert main(["check-config", str(config)]) == 2
    assert f"custom_resource_state.packs: unknown pack openshfit; the packs are {', '.join([AUTO, *NAMES])}" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_rights(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The component of a pack has exactly the rights that `telegen custom rbac` prints."""
    assert main(["custom", "rbac", "--packs", name]) == 0
    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    component = Path(__file__).parents[3] / "k8s" / "components" / f"pack-{name}"
    written = list(yaml.safe_load_all((component / "rbac.yaml").read_text()))
    assert [one["metadata"].pop("name") for one in written] == [f"telegen-pack-{name}"] * 2
    assert written[1]["roleRef"].pop("name") == f"telegen-pack-{name}"
    for one in printed:
        one["metadata"].pop("name")
    printed[1]["roleRef"].pop("name")
    assert printed == written
