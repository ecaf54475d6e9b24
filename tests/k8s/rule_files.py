"""Write the PrometheusRule with the groups of the rule files: `python -m tests.k8s.rule_files`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

COMPONENTS = Path(__file__).parents[2] / "k8s" / "components"
RULES = tuple(COMPONENTS / "prometheus" / f"{name}.yaml" for name in ("alerts", "efficiency"))
"""The rules, as Prometheus reads them."""
TARGET = COMPONENTS / "prometheus-operator" / "prometheusrule.yaml"
HEAD = """\
# Made by `python -m tests.k8s.rule_files` from the rules in components/prometheus.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: telegen
  namespace: telegen
  labels:
    app.kubernetes.io/name: telegen
spec:
  groups:
"""


def rules() -> list[dict[str, Any]]:
    """Return all rules of all files."""
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def prometheus_rule() -> str:
    """Return the text of the PrometheusRule, with the comments of the rule files."""
    parts = (path.read_text().partition("\ngroups:\n")[2] for path in RULES)
    return HEAD + "".join(f"  {line}\n" if line else "\n" for part in parts for line in part.splitlines())


if __name__ == "__main__":
    TARGET.write_text(prometheus_rule())
