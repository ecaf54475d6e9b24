"""Files of PromQL expressions: what `make check-rules` and the tests evaluate."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Object = dict[str, Any]
INTERVALS = {"$__rate_interval": "1m", "$__interval": "1m", "$__range": "1h"}
"""Variables of Grafana that have a value in every dashboard."""
_VARIABLE = re.compile(r"\$\{?[A-Za-z]")
CONTAINERS = ("items", "spec", "groups", "rules")
"""Keys of rule files and PrometheusRules that lead to rules."""
STRUCTURED = (".json", ".yaml", ".yml")


class Unreadable(Exception):
    """A file has no expressions; the message names file, place and cause."""


class Expression(NamedTuple):
    """One expression.

    Attributes:
        name: of its alert, recording rule or panel.
        text: PromQL.
        records: True for a recording rule.
        empty: True if the file says that it has no data with kube-state-metrics and the kubelet either.
    """

    name: str
    text: str
    records: bool = False
    empty: bool = False


def read_expressions(path: Path) -> list[Expression]:
    """Return the expressions of a file.

    Accepted are rule files of Prometheus, PrometheusRules, text with one expression per line, and JSON or YAML lists of objects with
    `expr` and, if it applies, `name`, `kind`, `run` (the expression without variables of a dashboard), and `results.peers` (number of
    results with the peers).

    Raises:
        Unreadable: the file cannot be read, or an entry is no expression.
    """
    try:
        text = path.read_text()
        content = list(yaml.safe_load_all(text)) if path.suffix in STRUCTURED else None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Unreadable(f"{path}: {error}") from error
    if content is None:
        found = [Expression(line, line) for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    else:
        found = [_expression(path, number, entry) for number, entry in enumerate(_entries(content), 1)]
    if not found:
        raise Unreadable(f"{path}: no expressions")
    return found


def _entries(content: Any) -> list[Any]:
    """Return the entries of lists, or the rules of groups, at any depth."""
    if content is None:
        return []
    if isinstance(content, list):
        return [entry for one in content for entry in _entries(one)]
    inner = [content[key] for key in CONTAINERS if key in content] if isinstance(content, dict) else []
    return _entries(inner) if inner else [content]


def _expression(path: Path, number: int, entry: Any) -> Expression:
    if isinstance(entry, str):
        entry = {"expr": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("expr"), str):
        raise Unreadable(f"{path}: entry {number}: no `expr`")
    text = entry.get("run") or entry["expr"]
    for variable, value in INTERVALS.items():
        text = text.replace(variable, value)
    if _VARIABLE.search(text):
        raise Unreadable(f"{path}: entry {number}: a variable of a dashboard in {text}; add `run` with its value")
    records = "record" in entry or entry.get("kind") == "record"
    name = str(entry.get("record") or entry.get("alert") or entry.get("name") or text)
    return Expression(name, text, records, entry.get("results", {}).get("peers") == 0)


def recording_rules(expressions: list[Expression]) -> Object | None:
    """Return a rule file with the recording rules; None without any."""
    rules = [{"record": one.name, "expr": one.text} for one in expressions if one.records]
    return {"groups": [{"name": "recorded", "rules": rules}]} if rules else None
