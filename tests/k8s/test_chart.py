"""The chart: its files, and every combination in ci/ as helm renders it, without a cluster."""

from __future__ import annotations

import json
import shutil
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from telegen import __version__
from tests.cluster.helm import CHART, Helm, combinations
from tests.cluster.kubectl import Object
from tests.k8s.chart_files import made
from tests.k8s.rendered import container, pod_spec, workload

pytestmark = pytest.mark.cluster
VALUES = combinations()
VERSIONS = ("1.25", "1.30", "1.37")
"""Oldest, a middle and the newest supported version of Kubernetes."""
FOREIGN = ("monitoring.coreos.com/", "security.openshift.io/")
"""API groups without a schema of Kubernetes; tests/cluster applies the first to a real API server."""


def test_made_files_are_current() -> None:
    """Copies, rights, schema and table follow the manifests, the settings and values.yaml."""
    stale = [name for name, text in made().items() if not (CHART / name).exists() or (CHART / name).read_text() != text]
    assert not stale, f"k8s/chart: {', '.join(stale)} are stale: run `python -m tests.k8s.chart_files`"


def test_the_versions_are_those_of_the_agent() -> None:
    """Version of the chart and default tag of the image are the version of the agent."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_lint(helm: Helm) -> None:
    """helm finds no warning with the values of any file in ci/."""
    files = [word for name in VALUES for word in ("--values", str(CHART / "ci" / f"{name}-values.yaml"))]
    for number in range(0, len(files), 2):
        helm.run("lint", str(CHART), "--strict", "--kube-version", "1.36", *files[number:number + 2])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_kinds_have_no_unknown_field(version: str, helm: Helm) -> None:
    """Every object of every combination is valid in each version of Kubernetes, and none appears twice in a combination."""
    different: dict[str, Object] = {}
    for values in VALUES.values():
        objs = helm.render(values, version)
        assert len({(obj["kind"], obj["metadata"].get("namespace"), obj["metadata"]["name"]) for obj in objs}) == len(objs)
        different.update((json.dumps(obj, sort_keys=True), obj) for obj in objs if not obj["apiVersion"].startswith(FOREIGN))
    for obj in different.values():
        kubernetes_validate.validate(obj, version, strict=True)


def test_ports_probes_and_mounts_follow_the_configuration(helm: Helm) -> None:
    """With credentials the probes have a port of their own; monitors scrape the configured paths."""
    objs = helm.render(VALUES["26-web-tls"])
    assert {port["name"]: port["containerPort"] for port in container(objs)["ports"]} == {"metrics": 10443, "probes": 8081}
    assert {container(objs)[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness", "readiness")} == {"probes"}
    (monitor,) = [obj for obj in objs if obj["kind"] == "PodMonitor"]
    ends = monitor["spec"]["podMetricsEndpoints"]
    assert [end["path"] for end in ends] == ["/agent/kubestate", "/agent/cadvisor"] and {end["scheme"] for end in ends} == {"https"}
    # The user's relabelings come after those of the chart.
    assert ends[0]["relabelings"][-1]["targetLabel"] == "cluster" and ends[0]["relabelings"][-2]["targetLabel"] == "job"
    moved = container(helm.render({"config": {"kube_metrics": {"cadvisor": {"root": "/node", "cgroup_root": "/cg"}}}}))["volumeMounts"]
    assert {mount["name"]: mount["mountPath"] for mount in moved}.items() >= {"root": "/node", "sys-fs-cgroup": "/cg"}.items()


def test_names_images_and_accounts(helm: Helm) -> None:
    """Names, registry, digest and Secrets of the registry reach the pod; an account and a role that exist are used."""
    objs = helm.render(VALUES["27-names-and-images"])
    assert workload(objs)["metadata"]["name"] == "telegen-agent"
    assert container(objs)["image"].startswith("registry.example/team/telegen@sha256:0123")
    assert pod_spec(objs)["imagePullSecrets"] == [{"name": "shared"}, {"name": "own"}]
    (binding,) = [obj for obj in objs if obj["kind"] == "ClusterRoleBinding"]
    assert binding["roleRef"]["name"] == "view" and binding["subjects"][0]["name"] == pod_spec(objs)["serviceAccountName"] == "prepared"
    assert not {"ServiceAccount", "ClusterRole", "ResourceQuota"} & {obj["kind"] for obj in objs}


def test_a_created_account_has_the_given_name(helm: Helm) -> None:
    """Account, pods and bindings have the name in `serviceAccount.name`."""
    objs = helm.render({"serviceAccount": {"name": "agent"}})
    (account,) = [obj for obj in objs if obj["kind"] == "ServiceAccount"]
    subjects = {subject["name"] for obj in objs for subject in obj.get("subjects", ())}
    assert {account["metadata"]["name"], pod_spec(objs)["serviceAccountName"], *subjects} == {"agent"}


class UniqueKeys(yaml.SafeLoader):
    """Loader that refuses a key that a mapping has twice, as kubectl does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        return super().construct_mapping(node, deep)


def test_labels_of_the_user(helm: Helm) -> None:
    """A label that the user gives twice, or that the chart has too, appears once in an object; that of the object wins."""
    labels = {"additionalLabels": {"release": "stack"}}
    values = {
        "mode": "standalone",
        "commonLabels": {"release": "all", "app.kubernetes.io/part-of": "shop"},
        "service": {"labels": {"release": "service"}},
        "prometheus": {"monitor": {"enabled": True, **labels}, "rule": {"enabled": True, **labels}},
    }
    status, output = helm.template(values, "1.36")
    assert status == 0, output
    found = {obj["kind"]: obj["metadata"]["labels"] for obj in yaml.load_all(output, UniqueKeys) if obj}
    assert {kind: found[kind]["release"] for kind in ("ConfigMap", "Service", "PodMonitor", "PrometheusRule")} == {
        "ConfigMap": "all", "Service": "service", "PodMonitor": "stack", "PrometheusRule": "stack",
    }
    assert {one["app.kubernetes.io/part-of"] for one in found.values()} == {"shop"}


def test_pods_that_scrapers_select(helm: Helm) -> None:
    """In every combination pods have the label `app: telegen`, and selectors have no version."""
    for name in ("01-defaults", "02-standalone", "03-shards", "27-names-and-images", "28-pods"):
        found = workload(helm.render(VALUES[name]))
        assert found["spec"]["template"]["metadata"]["labels"]["app"] == "telegen"
        assert set(found["spec"]["selector"]["matchLabels"]) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}


def test_alerts_can_be_left_out(helm: Helm) -> None:
    """Alerts by name are left out, others get labels and the URL of runbooks, and groups of the user are added."""
    objs = helm.render(VALUES["16-monitors-elsewhere"])
    (rule,) = [obj for obj in objs if obj["kind"] == "PrometheusRule"]
    alerts = {one["alert"]: one for group in rule["spec"]["groups"] for one in group["rules"] if "alert" in one}
    assert "TelegenRestarts" not in alerts and {"TelegenDown", "Mine"} <= set(alerts)
    assert alerts["TelegenDown"]["labels"] == {"severity": "warning", "team": "platform"}
    assert alerts["TelegenDown"]["annotations"]["runbook_url"] == "https://git.example/telegen/docs/runbooks.md#telegendown"
    (monitor,) = [obj for obj in objs if obj["kind"] == "PodMonitor"]
    assert monitor["metadata"]["namespace"] == "monitoring" and monitor["spec"]["namespaceSelector"] == {"matchNames": ["telegen"]}


def test_dashboards(helm: Helm, tmp_path: Path) -> None:
    """Each JSON file in dashboards/ becomes a ConfigMap as it is, with the label of the sidecar."""
    chart = shutil.copytree(CHART, tmp_path / "chart")
    dashboard = json.dumps({"title": "{{ pod }}", "panels": [{"legendFormat": "{{ $labels.pod }}"}]}, indent=2)
    (chart / "dashboards" / "test-one.json").write_text(dashboard + "\n")
    objs = helm.render({"dashboards": {"enabled": True}}, chart=chart)
    (found,) = [obj for obj in objs if obj["metadata"]["name"] == "telegen-dashboard-test-one"]
    assert found["data"] == {"test-one.json": f"{dashboard}\n"} and found["metadata"]["labels"]["grafana_dashboard"] == "1"
    for path in CHART.glob("dashboards/*.json"):
        assert len(path.read_bytes()) < 1 << 20
