"""Reader of the configuration format `CustomResourceStateMetrics` of kube-state-metrics: from its text to entries.

Everything that kube-state-metrics accepts with an effect is accepted with this effect. What it accepts silently without effect,
or with an unreadable page as the result, is refused or named in a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import yaml

from telegen.config.errors import ConfigError
from telegen.kubestate.custom.labels import LABEL_NAME, METRIC_LABEL, METRIC_NAME, is_star
from telegen.kubestate.custom.model import ANY, Entry, Family, Path, Paths, Pattern
from telegen.kubestate.custom.nodes import Node, Report, root_node
from telegen.kubestate.custom.paths import InvalidPath, compile_path
from telegen.metrics.label_keys import sanitize

PREFIX = "kube_customresource"
"""Prefix of names of entries without `metricNamePrefix`."""
_BODIES = {"gauge": "gauge", "stateset": "stateSet", "info": "info"}
"""Key of the body by type."""
_FILES = (".yaml", ".yml", ".json")


class Secret(NamedTuple):
    """A field whose value must never be shown.

    Attributes:
        group, kind: of its objects.
        place: path of the field.
        allowed: fields below it that may be shown.
        about: the end of a message.
    """

    group: str
    kind: str
    place: Path
    allowed: tuple[str, ...]
    about: str


SECRETS = (
    Secret("route.openshift.io", "Route", ("spec", "tls"), ("termination", "insecureEdgeTerminationPolicy"), "the private key of a route"),
    Secret("", "Secret", ("data",), (), "the values of a Secret"),
)


class Read(NamedTuple):
    """Entries of a configuration, and warnings about it."""

    entries: tuple[Entry, ...]
    warnings: tuple[str, ...]


def read_entries(text: bytes, source: str, parsed: yaml.Node | None = None) -> Read:
    """Read a configuration.

    Args:
        source: name of the file or the setting, for messages.
        parsed: the document, if the text has been parsed already.

    Raises:
        ConfigError: one line per problem, with file, line, path, cause and cure.
    """
    report = Report(source)
    root = _unwrapped(root_node(text, report, parsed), report)
    entries = _entries(root) if root else ()
    if report.problems:
        raise ConfigError("\n".join(report.problems))
    return Read(entries, tuple(report.warnings))


def _unwrapped(root: Node, report: Report) -> Node | None:
    """Return the configuration itself, also if a ConfigMap contains it; None after a problem."""
    fields = root.fields()
    if report.problems:
        return None
    if "kind" not in fields or fields["kind"].text() != "ConfigMap":
        return root
    data = fields["data"].fields() if "data" in fields else {}
    files = [value for key, value in data.items() if key.endswith(_FILES)] or list(data.values())
    if len(files) != 1:
        root.problem(f"a ConfigMap with {len(files)} files in data; leave the one with the CustomResourceStateMetrics")
        return None
    return root_node(files[0].text().encode("utf-8", "surrogateescape"), report)


def _entries(root: Node) -> tuple[Entry, ...]:
    fields = root.known_fields("kind", "apiVersion", "metadata", "spec")
    kind = fields["kind"].text() if "kind" in fields else ""
    if kind not in ("", "CustomResourceStateMetrics"):
        fields["kind"].warn(f"{kind} is read as CustomResourceStateMetrics")
    if "spec" not in fields:
        keys = root.fields()
        message = "resources stands outside of spec; indent it below spec:" if "resources" in keys else "no spec; expected spec.resources"
        root.problem("metrics with expressions already; expected spec.resources of kube-state-metrics" if "metrics" in keys else message)
        return ()
    resources = fields["spec"].known_fields("resources").get("resources")
    if resources is None:
        fields["spec"].warn("no resources: nothing is shown")
        return ()
    nodes = resources.items()
    entries = [_entry(node) for node in nodes]
    _warn_of_repeated(entries, nodes)
    return tuple(entries)


def _warn_of_repeated(entries: Sequence[Entry], nodes: Sequence[Node]) -> None:
    """Warn of entries that a later one for the same kind replaces."""
    last = {entry.pattern: place for place, entry in enumerate(entries)}
    for place, entry in enumerate(entries):
        if last[entry.pattern] != place:
            nodes[place].warn(f"replaced by resources[{last[entry.pattern]}], which selects {entry.pattern} as well; merge the two")


def _entry(node: Node) -> Entry:
    fields = node.known_fields(
        "groupVersionKind", "metricNamePrefix", "resourcePlural", "commonLabels", "labelsFromPath", "errorLogV", "metrics"
    )
    if "groupVersionKind" not in fields:
        node.problem("no groupVersionKind; expected {group: example.com, version: v1, kind: Foo}")
    prefix = fields["metricNamePrefix"].text() if "metricNamePrefix" in fields else PREFIX
    paths = _paths(fields.get("labelsFromPath"))
    if "errorLogV" in fields:
        fields["errorLogV"].integer()
    metrics = fields["metrics"].items() if "metrics" in fields else []
    if not metrics:
        node.warn("no metrics: nothing is shown")
    families = [family for metric in metrics if (family := _family(metric, prefix, paths))]
    pattern = _pattern(fields.get("groupVersionKind"))
    for family in families:
        for message in secret_problems(pattern, family):
            node.problem(message)
    return Entry(pattern, tuple(families), _labels(fields.get("commonLabels")), prefix=prefix)


def secret_problems(pattern: Pattern, family: Family) -> Iterator[str]:
    """Yield a message for each path of a family that could show a secret."""
    for secret in SECRETS:
        if pattern.group == secret.group and pattern.kind in (ANY, secret.kind):
            depth = len(secret.place)
            for path in (family.path, *family.labels_from_path.values()):
                if secret.place[: len(path)] == path[:depth] and path[depth : depth + 1] not in [(name,) for name in secret.allowed]:
                    place = f"{family.name}: the path [{', '.join(path)}]"
                    yield f"{place} reaches {'.'.join(secret.place)}, which has {secret.about}; name the fields to read"


def _pattern(node: Node | None) -> Pattern:
    fields = node.known_fields("group", "version", "kind") if node else {}
    if node and "group" not in fields:
        node.problem("no group; name one, such as example.com, or write group: '' for the core group of Kubernetes")
    group, version, kind = (fields[key].text() if key in fields else "" for key in ("group", "version", "kind"))
    if node and group == ANY:
        node.problem("group * is not supported; name one group, such as example.com")
    return Pattern(group, version or ANY, kind or ANY)


def _family(node: Node, prefix: str, entry_paths: Paths) -> Family | None:
    """Read a metric; None if it has a problem."""
    fields = node.known_fields("name", "help", "each", "commonLabels", "labelsFromPath", "errorLogV")
    name = fields["name"].text() if "name" in fields else ""
    full = f"{prefix}_{name}" if prefix else name
    if not name:
        node.problem("no name")
    elif not METRIC_NAME.fullmatch(full):
        fields["name"].problem(f"{full!r} is not a legal name of a metric; use letters, digits and '_'")
    if "errorLogV" in fields:
        fields["errorLogV"].integer()
    common, paths = _labels(fields.get("commonLabels")), {**entry_paths, **_paths(fields.get("labelsFromPath"))}
    help = fields["help"].text() if "help" in fields else ""
    if "each" not in fields:
        node.problem("no each; expected each: {type: Gauge, gauge: {path: [...]}}")
        return None
    type_, body = _body(fields["each"])
    if body is None:
        return None
    if type_ == "info" and not name.endswith("_info"):
        node.warn(f"{name}: the name of an info should end in _info")
    return _READERS[type_](body, Family(full, help, type_, (), common, paths, place=node.place))  # type: ignore[arg-type]


def _body(each: Node) -> tuple[str, Node | None]:
    """Return the type in lower case and its body; None after a problem."""
    fields = each.known_fields("type", *_BODIES.values())
    written = fields["type"].text() if "type" in fields else ""
    type_ = written.lower()
    if type_ not in _BODIES:
        each.problem(f"unknown type {written!r}; choose Gauge, StateSet or Info" if written else "no type; choose Gauge, StateSet or Info")
        return "", None
    body = fields.get(_BODIES[type_])
    if body is None:
        each.problem(f"type {written} needs a block {_BODIES[type_]}")
    for key in _BODIES.values():
        if key in fields and key != _BODIES[type_]:
            fields[key].warn(f"without effect beside type {written}")
    return type_, body


def _gauge(body: Node, family: Family) -> Family:
    fields = body.known_fields("path", "labelsFromPath", "labelFromKey", "valueFrom", "nilIsZero")
    return _replaced(
        family,
        path=_path(fields.get("path")),
        element_labels=_paths(fields.get("labelsFromPath")),
        value_from=_path(fields.get("valueFrom")),
        label_from_key=_label(fields["labelFromKey"]) if "labelFromKey" in fields else "",
        nil_is_zero=fields["nilIsZero"].truth() if "nilIsZero" in fields else False,
    )


def _stateset(body: Node, family: Family) -> Family:
    fields = body.known_fields("path", "labelsFromPath", "list", "labelName", "valueFrom")
    states = fields["list"].texts() if "list" in fields else ()
    if not states:
        body.warn("no list: nothing is shown")
    if "labelName" not in fields:
        body.problem("no labelName; expected the name of the label that has the state")
    return _replaced(
        family,
        path=_path(fields.get("path")),
        element_labels=_paths(fields.get("labelsFromPath")),
        value_from=_path(fields.get("valueFrom")),
        label_name=_label(fields["labelName"], may_be_empty=False) if "labelName" in fields else "",
        states=states,
    )


def _info(body: Node, family: Family) -> Family:
    fields = body.known_fields("path", "labelsFromPath", "labelFromKey")
    element_labels = _paths(fields.get("labelsFromPath"))
    label_from_key = _label(fields["labelFromKey"]) if "labelFromKey" in fields else ""
    if not element_labels and not label_from_key:
        body.warn("no labelsFromPath and no labelFromKey: nothing is shown")
    return _replaced(family, path=_path(fields.get("path")), element_labels=element_labels, label_from_key=label_from_key)


_READERS = {"gauge": _gauge, "stateset": _stateset, "info": _info}


def _replaced(family: Family, **values: object) -> Family:
    return replace(family, **values)  # type: ignore[arg-type]


def _path(node: Node | None) -> Path:
    """Read a path; check its segments."""
    path = node.texts() if node else ()
    try:
        compile_path(path)
    except InvalidPath as error:
        assert node
        node.problem(str(error))
        return ()
    return path


def _paths(node: Node | None) -> Paths:
    """Read labels with the paths of their values."""
    fields = node.fields() if node else {}
    for name, value in fields.items():
        if not is_star(name) and sanitize(name) == METRIC_LABEL:
            value.problem(f"{name!r} is the label that has the name of the metric; choose another name")
        elif not is_star(name) and not LABEL_NAME.fullmatch(sanitize(name)):
            value.problem(f"{name!r} is not a legal name of a label; begin with a letter or '_'")
    return {name: _path(value) for name, value in fields.items()}


def _labels(node: Node | None) -> Mapping[str, str]:
    """Read constant labels."""
    fields = node.fields() if node else {}
    for name, value in fields.items():
        _check_label(name, value)
    return {name: value.text() for name, value in fields.items()}


def _label(node: Node, may_be_empty: bool = True) -> str:
    """Read the name of a label; "" for none."""
    name = node.text()
    if name or not may_be_empty:
        _check_label(name, node)
    return name


def _check_label(name: str, node: Node) -> None:
    if not LABEL_NAME.fullmatch(name) or name == METRIC_LABEL:
        node.problem(f"{name!r} is not a legal name of a label; use letters, digits and '_'")
