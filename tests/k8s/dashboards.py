"""Write the dashboards from their descriptions in k8s/dashboards: `python -m tests.k8s.dashboards`.

A description has a title, a description, variables (name to query), selectors (texts for `<name>` in queries), and rows of panels; a panel
has a title, a description, a unit, and queries by legend.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

MANIFESTS = Path(__file__).parents[2] / "k8s"
DESCRIPTIONS = tuple(sorted(MANIFESTS.glob("dashboards/*.yaml")))
TARGET = MANIFESTS / "components" / "dashboards"
Json = dict[str, Any]

UNITS = {"cores": "suffix: cores"}
"""Units that are none of Grafana's, and how Grafana spells them."""
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
CLUSTER = "label_values(kube_node_info, cluster)"
COLUMNS, HEIGHT, WIDTHS = 24, 8, {"timeseries": 8, "stat": 6}
"""Columns of Grafana's grid, height of a panel, and width of a panel by its type."""


def dashboard(name: str, description: Mapping[str, Any]) -> Json:
    """Return a dashboard in the form of Grafana 10 and newer."""
    return {
        "uid": f"telegen-{name}",
        "title": description["title"],
        "description": description["description"],
        "tags": ["telegen", "kubernetes"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": _variables(description["variables"])},
        "panels": list(_panels(description)),
    }


def _variables(queries: Mapping[str, str]) -> list[Json]:
    """Return the variables: data source, cluster, and those of the description; `All` also selects series without the label."""
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    return [source, *(_variable(name, query) for name, query in {"cluster": CLUSTER, **queries}.items())]


def _variable(name: str, query: str) -> Json:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panels(description: Mapping[str, Any]) -> Iterator[Json]:
    """Yield rows and panels from left to right, a new line where a panel has no room."""
    number, top = 0, 0
    for row in description["rows"]:
        number += 1
        yield {"id": number, "type": "row", "title": row["title"], "collapsed": False, "panels": [], "gridPos": _at(0, top, COLUMNS, 1)}
        left, top = 0, top + 1
        for panel in row["panels"]:
            number += 1
            width = WIDTHS[panel.get("type", "timeseries")]
            if left + width > COLUMNS:
                left, top = 0, top + HEIGHT
            yield _panel(number, panel, _at(left, top, width, HEIGHT), description["selectors"])
            left += width
        top += HEIGHT


def _at(left: int, top: int, width: int, height: int) -> Json:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(number: int, panel: Mapping[str, Any], position: Json, selectors: Mapping[str, str]) -> Json:
    kind = panel.get("type", "timeseries")
    return {
        "id": number,
        "type": kind,
        "title": panel["title"],
        "description": panel["description"],
        "datasource": SOURCE,
        "gridPos": position,
        "fieldConfig": {"defaults": {"unit": UNITS.get(panel["unit"], panel["unit"])}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": expression(query, selectors),
                "legendFormat": legend,
                **({"instant": True} if kind == "stat" else {}),
            }
            for index, (legend, query) in enumerate(panel["queries"].items())
        ],
    }


def expression(query: str, selectors: Mapping[str, str]) -> str:
    """Return a query with the texts of its selectors."""
    for name, text in selectors.items():
        query = query.replace(f"<{name}>", text)
    return query


def described() -> Mapping[str, Json]:
    """Return the descriptions by name."""
    return {path.stem: yaml.safe_load(path.read_text()) for path in DESCRIPTIONS}


def made() -> Mapping[str, str]:
    """Return the text of each file of the component by its name."""
    files = {f"{name}.json": json.dumps(dashboard(name, one), indent=1) + "\n" for name, one in described().items()}
    return {**files, "kustomization.yaml": _component(list(files))}


def _component(files: list[str]) -> str:
    """Return the component: a ConfigMap for each dashboard, with the label of Grafana's sidecar."""
    labels = {"app.kubernetes.io/name": "telegen", "grafana_dashboard": "1"}
    options = {"disableNameSuffixHash": True, "labels": labels}
    maps = [
        {"name": f"telegen-dashboard-{Path(file).stem}", "namespace": "telegen", "files": [file], "options": options} for file in files
    ]
    head = "# Made by `python -m tests.k8s.dashboards` from the descriptions in k8s/dashboards.\n"
    content = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "configMapGenerator": maps}
    text: str = yaml.dump(content, sort_keys=False, width=140, Dumper=_Plain)
    return head + text


class _Plain(yaml.SafeDumper):
    """Writes repeated values out."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return True for all values."""
        return True


if __name__ == "__main__":
    for name, text in made().items():
        (TARGET / name).write_text(text)
