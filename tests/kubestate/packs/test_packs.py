"""Packs against the recorded pages of the programs whose families they have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from telegen.cli.main import main
from telegen.kubestate.packs.pack import PackResource
from telegen.kubestate.packs.registry import AUTO, NAMES, PACKS
from telegen.kubestate.registry import RESOURCES
from tests.kubestate.custom.pages import Page, difference, parse
from tests.kubestate.parity import repeated

RECORDED = Path(__file__).parent / "cases"
CASES = sorted(RECORDED.glob("*/objects.yaml"))
CONFIGURATIONS = Path(__file__).parents[1] / "custom" / "cases"
SAME_TABLE = re.compile(
    r"capi_(\w+(cluster|machine)|kubeadmcontrolplane|machine(deployment|set|pool))_|gatewayapi_\w+route_|keda_cr_scaledjob_"
    # The other variants have these.
    r"|kube_customresource_verticalpodautoscaler_\w+_(cpu|memory)$"
)
"""Families of kinds that share their table with a kind that a case has."""
OURS = {
    "kube_verticalpodautoscaler_info",
    "kube_verticalpodautoscaler_spec_resourcepolicy_container_policies_mode",
    "kube_verticalpodautoscaler_status_condition",
    "openshift_build_status_reason",
    "openshift_deploymentconfig_owner",
    "openshift_deploymentconfig_status_condition",
    "openshift_deploymentconfig_status_replicas_ready",
    "openshift_route_admitted",
}
"""Families that the replaced programs do not have."""
ALLOWLISTS = "    labels_allowlist: {verticalpodautoscalers: ['*']}\n    annotations_allowlist: {verticalpodautoscalers: ['*']}\n"
CONFIG = "kube_metrics:\n  kube_state:\n    custom_resource_state: {{{names}packs: [{packs}], only: true}}\n"
OPERATORS = re.compile(
    r"(argocd_app|certmanager_(certificate|clusterissuer|issuer|http)|csv|cluster_operator|cluster_version|mapi|install_?plan"
    r"|subscription|catalogsource|gotk_reconcile|gotk_suspend|keda_scale[dr]|keda_resource|velero_(backup|restore)|cnpg_collector|ceph"
    r"|rollout_info|analysis_run|experiment|externalsecret|secretstore|pushsecret|prometheus_operator|crossplane_managed"
    r"|karpenter_(nodepools|nodeclaims|nodes|pods)|kappctrl|vmservice|policy_report|contour_httpproxy_(total|valid|invalid|orphaned|root)"
    r"|openshift_imagestreamcontroller|operator_status_condition|strimzi_(resources|reconciliations))(_|$)"
)
"""Families that operators serve themselves: a pack with one of these names would double every sum."""


def render(
    capsys: pytest.CaptureFixture[str], folder: Path, objects: Path, packs: str, more: str = "", variant: str = ""
) -> str:
    """Return the page of `telegen render` for some packs, or for a pack with a variant of its names."""
    config = folder / "config.yaml"
    names = f"names: {{{packs}: {variant}}}, " if variant else ""
    config.write_text(CONFIG.format(names=names, packs=packs) + more)
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
    folder = RECORDED / recorded.partition("/")[0] if "/" in recorded else RECORDED / pack
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


CONFIGURED = {
    "cluster-api": ("cluster-api", ""),
    "flux": ("flux", ""),
    "gateway-api": ("gateway-api", ""),
    "vpa-as-customresource": ("vpa", "ksm-docs"),
    "vpa-as-customresource-no-suffix": ("vpa", "mixin"),
}
"""Recorded pages of the configurations of products: the pack with these families, and the variant of its names."""


@pytest.mark.parametrize("case", CONFIGURED)
def test_page_of_a_configuration(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pack has the series that kube-state-metrics shows with the configuration of the product. Names of features are shown where
    kube-state-metrics shows the text of a map."""
    pack, variant = CONFIGURED[case]
    page = render(capsys, tmp_path, CONFIGURATIONS / case / "objects.json", pack, variant=variant)
    recorded = re.sub(r'"map\[name:(\w+)\]"', r'"\1"', (CONFIGURATIONS / case / "expected.prom").read_bytes().decode())
    wanted, got = with_sorted_labels(parse(recorded)), with_sorted_labels(parse(page))
    assert difference(wanted, {name: family for name, family in got.items() if name in wanted}) == []
    assert repeated(page) == []


def with_sorted_labels(page: Page) -> Page:
    """Sort the labels of all series."""
    return {name: (kind, {_sorted(series): values for series, values in found.items()}) for name, (kind, found) in page.items()}


def samples(page: str) -> dict[str, float]:
    """Return the value of each series, with sorted labels."""
    found: dict[str, float] = {}
    for line in page.split("\n"):
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            found[f"{series.partition('{')[0]}{{{_sorted(series)}}}"] = float(value)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_expected_page(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Objects as the operators write them, with absent and malformed fields, give the series of the reference, and no others."""
    pack, _, variant = case.parent.name.partition("=")
    page = render(capsys, tmp_path, case, pack.partition("+")[0], variant=variant)
    wanted = samples((case.parent / "expected.prom").read_text())
    assert samples(page) == wanted
    assert repeated(page) == []


def test_every_pack_has_a_case() -> None:
    """Each family of each pack is in an expected page, apart from those of allowlisted labels and annotations."""
    pages = "".join(path.read_text() for folder in (RECORDED, CONFIGURATIONS) for path in folder.glob("*/*.prom"))
    named = {family.name for one in all_kinds() for family in (*one.table.families, *one.described, *one.described_older)}
    missing = [name for name in named if f"\n{name}{{" not in f"\n{pages}" and not name.endswith(("_labels", "_annotations"))]
    assert [name for name in missing if not SAME_TABLE.match(name)] == []


def test_newest_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several served versions only the newest is read."""
    lists = json.loads((RECORDED / "vpa" / "objects.json").read_text())
    assert {key.split("/")[1] for key in lists} == {"v1", "v1beta2"}
    page = render(capsys, tmp_path, RECORDED / "vpa" / "objects.json", "vpa")
    assert page.count("kube_verticalpodautoscaler_labels{") == len(lists["autoscaling.k8s.io/v1/verticalpodautoscalers"]["items"])


MALFORMED = [
    ("Route", "route.openshift.io/v1", {"spec": {"to": {}}}, 'to_weight=""', ""),
    ("Route", "route.openshift.io/v1", {"spec": None, "status": None}, "openshift_route_info", ""),
    ("Build", "build.openshift.io/v1", {"status": {"phase": 5}}, "openshift_build_created", "openshift_build_status_phase_total"),
    (
        "DeploymentConfig", "apps.openshift.io/v1", {"spec": {"strategy": {"rollingParams": {"maxSurge": "x%", "maxUnavailable": "7"}}}},
        "max_unavailable{", "max_surge{",
    ),
    (
        "DeploymentConfig", "apps.openshift.io/v1",
        {"spec": {"replicas": 4, "strategy": {"rollingParams": {"maxSurge": "1_0%", "maxUnavailable": "+25%"}}}},
        'max_unavailable{namespace="n",deploymentconfig="x"} 1', "max_surge{",
    ),
    ("ClusterResourceQuota", "quota.openshift.io/v1", {"spec": {"quota": {"hard": {"pods": "many"}}}}, "_created{", "_usage{"),
    (
        "ClusterResourceQuota", "quota.openshift.io/v1", {"spec": {"quota": {"hard": {"storage": "100E"}}}},
        'resource="storage",type="hard"} 1e+20', "none{",
    ),
    (
        "ClusterResourceQuota", "quota.openshift.io/v1", {"status": {"total": {"used": {"storage": "-9Ei"}}}},
        'resource="storage",type="used"} -9.223372036854776e+18', "none{",
    ),
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


def all_kinds() -> list[PackResource]:
    """Return the kinds of all packs, in all variants."""
    return [one for pack in PACKS.values() for group in (pack.resources, *pack.variants.values()) for one in group]


def test_names() -> None:
    """No family of a pack has the name of a family of another pack or of a built-in table, or one that an operator serves itself."""
    built_in = {family.name for table in RESOURCES.values() for family in table.families}
    owners: dict[str, set[str]] = {}
    for pack in PACKS.values():
        for one in pack.resources:
            for family in (*one.table.families, *one.described, *one.described_older):
                owners.setdefault(family.name, set()).add(pack.name)
    assert {name: packs for name, packs in owners.items() if len(packs) > 1} == {}
    assert not built_in.intersection(owners)
    assert not [name for name in owners if OPERATORS.match(name)]


def test_labels() -> None:
    """No family has a label twice, or one that a sample has already, or that of the agent's own cluster."""
    for one in all_kinds():
        for family in one.table.families:
            labels = [name for name, _ in one.table.identity] + list(family.labels)
            assert len(labels) == len(set(labels)) and "cluster" not in labels, (family.name, labels)


def test_one_head_per_name() -> None:
    """Families of several kinds with one name have one type and one help text: they share a head on the page."""
    heads: dict[str, set[tuple[str, str]]] = {}
    for pack in PACKS.values():
        for one in pack.resources:
            for family in (*one.table.families, *one.described):
                heads.setdefault(family.name, set()).add((family.type, family.help))
    assert {name: found for name, found in heads.items() if len(found) > 1} == {}


def test_unknown_variant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown variant of names, and a pack without variants, are refused with the known ones."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(names="names: {vpa: ksm, flux: x}, ", packs="vpa"))
    assert main(["check-config", str(config)]) == 2
    printed = capsys.readouterr().err
    assert "custom_resource_state.names.vpa: unknown variant ksm; the variants are ksm-docs, openshift, gardener, mixin" in printed
    assert "custom_resource_state.names: flux: no pack with variants; these have some: openshift-cluster, vpa" in printed
    assert main(["custom", "rbac", "--packs", "vpa=ksm"]) == 2
    assert "vpa: unknown variant ksm; the variants are ksm-docs" in capsys.readouterr().err


def test_unknown_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown pack is refused with the known ones."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(names="", packs="openshfit"))
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


@pytest.mark.parametrize(
    ("allowed", "shown"),
    [("clusters", {"capi_cluster", "cnpg_cr_cluster"}), ("clusters.cluster.x-k8s.io", {"capi_cluster"}), ("kustomizations", set())],
)
def test_allowlists(allowed: str, shown: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Allowlists take the name of a resource for the kinds of all groups that have it, and with the group for one of them."""
    metadata = {"name": "x", "namespace": "n", "labels": {"app": "web"}, "annotations": {"team": "a"}}
    objects = tmp_path / "objects.json"
    versions = ("cluster.x-k8s.io/v1beta2", "postgresql.cnpg.io/v1")
    objects.write_text(json.dumps([{"apiVersion": version, "kind": "Cluster", "metadata": metadata} for version in versions]))
    more = "".join(f"    {key}_allowlist: {{{allowed}: ['*']}}\n" for key in ("labels", "annotations"))
    page = render(capsys, tmp_path, objects, "cluster-api, cloudnative-pg", more)
    for family in (r'labels{.*label_app="web"} 1', r'annotations{.*annotation_team="a"} 1'):
        assert {name for name in ("capi_cluster", "cnpg_cr_cluster") if re.search(f"{name}_{family}", page)} == shown


def test_namespaces_are_projects_on_openshift_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Namespaces of a cluster that does not serve projects give no series, although every cluster serves namespaces."""
    objects = tmp_path / "objects.json"
    objects.write_text(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}))
    assert render(capsys, tmp_path, objects, "openshift-cluster") == ""
