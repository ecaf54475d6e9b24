"""Read a rules file. A rule that is not valid is refused with a line of its own; the others are used."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from telegen.adapter.groups import CUSTOM, EXTERNAL, RESOURCE
from telegen.adapter.rest_mapping import GroupResource
from telegen.adapter.rules.model import (
    LABEL,
    LABEL_FIELDS,
    QUERY_FIELDS,
    LabelRules,
    NameRule,
    ResourceRule,
    ResourceRules,
    Rule,
    RulesFile,
    SeriesFilter,
)
from telegen.adapter.rules.regexes import RegexError, Replacement, compile_regex
from telegen.adapter.templates import Template, TemplateError
from telegen.config.document import MAX_BYTES, first_node, read_regular
from telegen.config.errors import ConfigError
from telegen.kubestate.custom.nodes import Node, Report

_MAX_VALUES = 200_000
_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile(r"(?=.)(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_MARK = "\x02"
"""Name of a resource that no template contains."""
Read = TypeVar("Read")


class RuleError(Exception):
    """A rule that is refused; its problem is in the report."""


def read_rules(path: str) -> RulesFile:
    """Read a file.

    Raises:
        ConfigError: the file cannot be read, or is no rules file at all; one line with file, line and reason.
    """
    try:
        return parse_rules(read_regular(path, MAX_BYTES), path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path if path.isprintable() else repr(path)}: {error}") from error


def parse_rules(content: bytes, path: str = "rules") -> RulesFile:
    """Read the content of a file.

    Args:
        path: of the file, for messages.

    Raises:
        ConfigError: it is no rules file at all.
    """
    root = first_node(content, path, _MAX_VALUES)
    if root is None:
        return RulesFile()
    report = Report(path)
    custom, external, resource = _lists(Node(root, "", report), report)
    return RulesFile(
        tuple(filter(None, (_kept(node, report, _rule) for node in custom))),
        tuple(filter(None, (_kept(node, report, _rule) for node in external))),
        _kept(resource, report, _resource_rules) if resource else None,
        frozenset(group for group, nodes in ((CUSTOM, custom), (EXTERNAL, external), (RESOURCE, resource)) if nodes),
        tuple(report.problems),
        tuple(report.warnings),
    )


def _lists(root: Node, report: Report) -> tuple[list[Node], list[Node], Node | None]:
    """Return the rules, the external rules, and the resource rules of a file.

    Raises:
        ConfigError: the file is no map, or has rules that are no list.
    """
    fields = root.fields()
    rules, external = (fields[key].items() if key in fields else [] for key in ("rules", "externalRules"))
    if report.problems:
        raise ConfigError(report.problems[0])
    for key in fields.keys() - {"rules", "externalRules", "resourceRules"}:
        fields[key].problem("unknown key; choose from rules, externalRules, resourceRules")
    resource = fields.get("resourceRules")
    return rules, external, None if resource is None or resource.is_null else resource


def _kept(node: Node, report: Report, read: Callable[[Node], Read]) -> Read | None:
    """Return what a function reads, None if it reports a problem."""
    own = Report(report.source)
    try:
        result = read(node.reporting_to(own))
    except RuleError:
        result = None
    report.problems += own.problems
    report.warnings += [] if own.problems else own.warnings
    return None if own.problems else result


def _rule(node: Node) -> Rule:
    fields = _fields(node, ("seriesQuery", "seriesFilters", "resources", "name", "metricsQuery"), ("seriesQuery", "metricsQuery"))
    filters = tuple(_filter(item) for item in fields["seriesFilters"].items()) if "seriesFilters" in fields else ()
    return Rule(
        node.place,
        fields["seriesQuery"].text(),
        filters,
        _labels(fields.get("resources"), node),
        _name(fields.get("name")),
        _template(fields["metricsQuery"], QUERY_FIELDS),
        node.path.startswith("externalRules"),
    )


def _fields(node: Node, known: Collection[str], required: Collection[str] = ()) -> dict[str, Node]:
    """Return the values of a map by key, without null ones. Raises RuleError for unknown and absent keys."""
    fields = node.fields()
    for key in fields.keys() - set(known):
        _refuse(fields[key], f"unknown key; choose from {', '.join(known)}")
    fields = {key: value for key, value in fields.items() if not value.is_null}
    for key in required:
        if key not in fields or not fields[key].text():
            _refuse(fields.get(key, node), f"{key} is missing")
    return fields


def _refuse(node: Node, message: str) -> None:
    node.problem(message)
    raise RuleError


def _filter(node: Node) -> SeriesFilter:
    fields = {key: value for key, value in _fields(node, ("is", "isNot")).items() if value.text()}
    if len(fields) != 1:
        _refuse(node, "a filter has either `is` or `isNot`")
    key, value = fields.popitem()
    return SeriesFilter(_regex(value), key == "is")


def _regex(node: Node) -> Any:
    try:
        return compile_regex(node.text())
    except RegexError as error:
        _refuse(node, str(error))
        raise


def _name(node: Node | None) -> NameRule:
    fields = _fields(node, ("matches", "as")) if node else {}
    matches = fields.get("matches")
    regex = _regex(matches) if matches and matches.text() else compile_regex(".*")
    groups = regex.groups
    text = fields["as"].text() if "as" in fields else ""
    if not text and groups > 1 and node:
        _refuse(node, f"`as` is missing: `matches` has {groups} groups, and one must be chosen")
    try:
        replacement = Replacement(text or f"${min(groups, 1)}", regex)
    except RegexError as error:
        _refuse(fields["as"], str(error))
        raise
    if "/" in text:
        _refuse(fields["as"], "the name of a metric cannot have a slash: no request could name it")
    return NameRule(regex, replacement)


def _template(node: Node, fields: Collection[str]) -> Template:
    try:
        return Template(node.text(), fields)
    except TemplateError as error:
        _refuse(node, str(error))
        raise


def _labels(node: Node | None, rule: Node) -> LabelRules:
    """Return the `resources` of a rule."""
    fields = _fields(node, ("template", "overrides", "namespaced")) if node else {}
    template = fields.get("template")
    overrides = {label: _override(label, value) for label, value in fields["overrides"].fields().items()} if "overrides" in fields else {}
    read = _label_template(template) if template and template.text() else None
    namespaced = fields["namespaced"].truth() if "namespaced" in fields else True
    if not overrides and not read and namespaced:
        (node or rule).warn("neither `template` nor `overrides` name a label: the metric cannot be asked for any object")
    return LabelRules(overrides, read, namespaced, (node or rule).place)


def _override(label: str, node: Node) -> GroupResource:
    if not LABEL.fullmatch(label):
        _refuse(node, f"{label[:60]!r} is not the name of a label")
    fields = _fields(node, ("group", "resource"), ("resource",))
    name = fields["resource"].text()
    group = fields["group"].text() if "group" in fields else ""
    if "/" in name:
        _refuse(fields["resource"], f"{name!r} is a subresource; name the resource")
    return GroupResource(group, name) if group else GroupResource.parse(name)


def _label_template(node: Node) -> Template:
    template = _template(node, LABEL_FIELDS)
    try:
        label, marked = (template.render({"Group": "group", "Resource": resource}) for resource in ("resource", _MARK))
    except TemplateError as error:
        _refuse(node, str(error))
    if _MARK not in marked:
        _refuse(node, "the template must contain <<.Resource>>")
    if not LABEL.fullmatch(label):
        _refuse(node, f"{label[:60]!r} is not the name of a label")
    return template


def _resource_rules(node: Node) -> ResourceRules:
    fields = _fields(node, ("cpu", "memory", "window"))
    for key in ("cpu", "memory"):
        if key not in fields:
            _refuse(node, f"{key} is missing")
    return ResourceRules(_resource_rule(fields["cpu"]), _resource_rule(fields["memory"]), _window(fields.get("window")))


def _window(node: Node | None) -> float:
    """Return the seconds of `window`; 0 without one: unknown."""
    text = node.text() if node else "0"
    window = parse_duration(text)
    if window is None and node:
        _refuse(node, f"{text[:40]!r} is no duration; write 30s, 5m or 1h30m")
    return window or 0.0


def _resource_rule(node: Node) -> ResourceRule:
    fields = _fields(node, ("containerQuery", "nodeQuery", "containerLabel", "resources"), ("containerLabel",))
    if not LABEL.fullmatch(fields["containerLabel"].text()):
        _refuse(fields["containerLabel"], "not the name of a label")
    queries = [_resource_query(node, fields, *pair) for pair in (("containerQuery", "pods"), ("nodeQuery", "nodes"))]
    return ResourceRule(queries[0], queries[1], _labels(fields.get("resources"), node), fields["containerLabel"].text())


def _resource_query(node: Node, fields: dict[str, Node], key: str, objects: str) -> Template:
    """Return the query of a key; an empty one if it is missing."""
    if key in fields:
        return _template(fields[key], QUERY_FIELDS)
    node.warn(f"{key} is missing: {objects} have no usage")
    return Template("", QUERY_FIELDS)


def parse_duration(text: str) -> float | None:
    """Return the seconds of a duration of Prometheus, `1h30m`, or of 0; None for a text that is none."""
    if text == "0":
        return 0.0
    found = _DURATION.fullmatch(text)
    if not found or len(text) > 40:
        return None
    return sum(int(number) * factor for number, factor in zip(found.groups(), _UNITS.values()) if number)
