"""Write the files of the chart that follow from others: `python -m tests.k8s.chart_files`.

files/ and dashboards/ have copies of what Helm cannot read outside the chart: configurations, rules, scrape configurations, dashboards, and
the rights that each resource needs. values.schema.json and the table of README.md are made from values.yaml and the settings of the agent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from telegen.kubestate.custom.rights import pack_resources
from telegen.kubestate.packs.registry import PACKS
from telegen.kubestate.registry import RESOURCES
from tests.k8s.chart_schema import schema
from tests.k8s.chart_values import table

MANIFESTS = Path(__file__).parents[2] / "k8s"
CHART = MANIFESTS / "chart"
MODES = {"daemonset": "base", "standalone": "overlays/standalone", "shards": "overlays/shards"}
"""Modes of the chart, and the folders of k8s/ with the same objects."""
ADAPTER = "components/adapter"
"""Folder of the adapter, which the chart adds to any mode."""
KINDS = {"groups": "rules", "scrape_configs": "scrape"}
"""Keys of files for Prometheus, and the folders of files/ with such files."""
HEAD = "# Made by `python -m tests.k8s.chart_files` from {source}.\n"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"


def made() -> Mapping[str, str]:
    """Return the text of each made file by its path in the chart."""
    return {**dict(_copies()), **dict(_monitor()), "files/rights.yaml": _rights(), **_values()}


def _copies() -> Iterator[tuple[str, str]]:
    """Yield configurations, scrape configurations, rules and dashboards of the manifests."""
    for mode, folder in MODES.items():
        yield f"files/config/{mode}.yaml", (MANIFESTS / folder / "telegen.yaml").read_text()
    yield "files/config/adapter.yaml", (MANIFESTS / ADAPTER / "telegen.yaml").read_text()
    for path in sorted(MANIFESTS.glob("components/prometheus/*.yaml")):
        kinds = [kind for key, kind in KINDS.items() if key in yaml.safe_load(path.read_text())]
        yield from ((f"files/{kind}/{path.name}", path.read_text()) for kind in kinds)
    for path in sorted(MANIFESTS.glob("components/dashboards/*.json")):
        yield f"dashboards/{path.name}", path.read_text()


def _monitor() -> Iterator[tuple[str, str]]:
    """Yield endpoints of the PodMonitor, and the drops of kube-prometheus-stack."""
    source = "components/prometheus-operator/podmonitor.yaml"
    endpoints = yaml.safe_load((MANIFESTS / source).read_text())["spec"]["podMetricsEndpoints"]
    yield "files/monitor/endpoints.yaml", HEAD.format(source=source) + _dump(endpoints)
    source = "components/kube-prometheus-stack-drops/drops.yaml"
    (drops,) = [step["value"] for step in yaml.safe_load((MANIFESTS / source).read_text()) if step["op"] == "add"]
    yield "files/monitor/drops.yaml", HEAD.format(source=source) + _dump(drops)


def _rights() -> str:
    """Return group and scope of each resource, and the GROUP/NAME that each pack reads."""
    resources = {
        name: {"group": resource.group, "namespaced": resource.namespaced, "default": resource.default}
        for name, resource in RESOURCES.items()
    }
    packs = {name: [f"{group}/{resource}" for group, resource in pack_resources([pack])] for name, pack in PACKS.items()}
    return HEAD.format(source="telegen/kubestate") + _dump({"resources": resources, "packs": packs})


def _values() -> Mapping[str, str]:
    """Return the schema, and README.md with its table."""
    text = (CHART / "values.yaml").read_text()
    readme = (CHART / "README.md").read_text()
    before, _, rest = readme.partition(BEGIN)
    return {
        "values.schema.json": json.dumps(schema(yaml.safe_load(text)), indent=2) + "\n",
        "README.md": f"{before}{BEGIN}{table(text)}{END}{rest.partition(END)[2]}",
    }


def _dump(content: Any) -> str:
    dumped: str = yaml.safe_dump(content, sort_keys=False, width=200)
    return dumped


def main() -> None:
    """Write the files."""
    for name, text in made().items():
        path = CHART / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
