"""Reader of the format with expressions: from its text to entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

import msgspec
import yaml

from telegen.config.errors import ConfigError
from telegen.kubestate.custom.cel.compiler import MAX_STEPS, compile_expression
from telegen.kubestate.custom.cel.errors import InvalidExpression
from telegen.kubestate.custom.expressions import written
from telegen.kubestate.custom.expressions.by_path import misplaced_entry_keys, misplaced_keys, read_family
from telegen.kubestate.custom.expressions.compiled import InvalidPart, compile_metric
from telegen.kubestate.custom.expressions.model import IDENTITY, KIND_LABELS, SHARD, Loop, Metric, MetricEntry, Selector
from telegen.kubestate.custom.expressions.secrets import secret_paths
from telegen.kubestate.custom.expressions.shapes import is_set, misplaced
from telegen.kubestate.custom.expressions.surroundings import NAMESPACE_LABELS, OWNER
from telegen.kubestate.custom.expressions.types import type_problems, without_nulls
from telegen.kubestate.custom.labels import LABEL_NAME, METRIC_NAME
from telegen.kubestate.custom.model import ANY, Family, Pattern
from telegen.kubestate.custom.nodes import Node, Report, root_node
from telegen.kubestate.custom.reading import secret_problems
from telegen.metrics.label_keys import label_name

_CONDITION = "condition"
_STATUS = {"true": "True", "false": "False", "unknown": "Unknown"}


class ReadMetrics(NamedTuple):
    """Entries of a configuration, and warnings about it."""

    entries: tuple[MetricEntry, ...]
    warnings: tuple[str, ...]


def read_metrics(text: bytes, source: str, parsed: yaml.Node | None = None) -> ReadMetrics:
    """Read a configuration.

    Args:
        source: name of the file or the setting, for messages.
        parsed: the document, if the text has been parsed already.

    Raises:
        ConfigError: one line per problem, with file, line, path, cause and cure.
    """
    report = Report(source)
    root = root_node(text, report, parsed)
    nodes: dict[str, Node] = {}
    data = root.plain(nodes)
    for path, message in type_problems(written.File, data, ""):
        _nearest(nodes, path).problem(message)
    entries = () if report.problems else _Reader(nodes).entries(msgspec.convert(without_nulls(data), written.File, strict=False))
    if report.problems:
        # That of an entry may concern each of its metrics.
        raise ConfigError("\n".join(dict.fromkeys(report.problems)))
    return ReadMetrics(entries, tuple(report.warnings))


def _nearest(nodes: Mapping[str, Node], path: str) -> Node:
    """Return the node at a path, or the nearest one around it."""
    while path and path not in nodes:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return nodes[path]


class _Reader:
    """Reader of values that have the right types."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes

    def _problem(self, path: str, message: str) -> None:
        _nearest(self._nodes, path).problem(message)

    def entries(self, file: written.File) -> tuple[MetricEntry, ...]:
        """Return the entries of a file."""
        if not file.metrics:
            _nearest(self._nodes, "").warn("no metrics: nothing is shown")
        return tuple(self._entry(entry, f"metrics[{place}]") for place, entry in enumerate(file.metrics))

    def _entry(self, entry: written.Entry, path: str) -> MetricEntry:
        resource = entry.resource
        versions = (resource.version,) if isinstance(resource.version, str) else tuple(resource.version)
        self._check_resource(entry, versions, path)
        if not entry.metrics:
            _nearest(self._nodes, path).warn("no metrics: nothing is shown")
        for key, message in misplaced_entry_keys(entry):
            self._problem(f"{path}.{key}", message)
        entry = self._with_valid_expressions(entry, path)
        entry = self._with_surroundings(entry, path)
        metrics, families = [], []
        for place, given in enumerate(entry.metrics):
            where = f"{path}.metrics[{place}]"
            if given.path is None:
                metrics.append(self._metric(entry, given, where))
            else:
                families.append(self._family(entry, given, where))
        return MetricEntry(
            resource.group,
            resource.kind,
            tuple(version for version in versions if version not in ("", ANY)),
            tuple(metrics),
            Selector(entry.selector.labels, entry.selector.fields, tuple(dict.fromkeys(entry.selector.namespaces))),
            resource.everyVersion,
            tuple(Pattern(resource.group, one.version or ANY, one.kind or ANY) for one in resource.without),
            entry.identity,
            tuple(families),
            entry.commonLabels,
            entry.limits.series,
            self._place(path),
        )

    def _with_surroundings(self, entry: written.Entry, path: str) -> written.Entry:
        """Return an entry with the labels of namespaces and owners among its labels."""
        pairs = [(label_name(key, "namespace_label_"), f"{NAMESPACE_LABELS}['{key}']") for key in entry.namespaceLabels]
        if entry.ownerLabels:
            pairs += [("owner_kind", f"{OWNER}.kind"), ("owner_name", f"{OWNER}.name")]
        labels = dict(entry.labels)
        for name, text in pairs:
            if name in labels:
                self._problem(path, f"two labels of the entry have the name {name}; remove or rename one")
            labels[name] = text
        return msgspec.structs.replace(entry, labels=labels)

    def _with_valid_expressions(self, entry: written.Entry, path: str) -> written.Entry:
        """Report the invalid expressions of an entry itself, and leave them out: else they were problems of each of its metrics."""

        def is_valid(text: str, where: str) -> bool:
            try:
                compile_expression(text)
            except InvalidExpression as error:
                self._problem(f"{path}.{where}", str(InvalidPart(where, text, error)))
                return False
            return True

        return msgspec.structs.replace(
            entry,
            when=entry.when if not entry.when or is_valid(entry.when, "when") else "",
            labels={name: text for name, text in entry.labels.items() if is_valid(text, f"labels.{name}")},
            labelsFrom=[text for place, text in enumerate(entry.labelsFrom) if is_valid(text, f"labelsFrom[{place}]")],
        )

    def _check_resource(self, entry: written.Entry, versions: tuple[str, ...], path: str) -> None:
        resource, where = entry.resource, f"{path}.resource"
        if ANY == resource.group or not resource.kind:
            self._problem(where, "no single group and kind; write {group: example.com, kind: Foo}, or kind: '*' for all of the group")
        if (resource.kind == ANY or resource.everyVersion) and KIND_LABELS[0] not in IDENTITY[entry.identity]:
            self._problem(where, "several kinds or versions would have equal series; write identity: kind, or both, at the entry")
        if resource.kind == ANY and entry.prefix is None:
            self._problem(path, "no prefix; an entry for every kind needs one")
        for place, one in enumerate(resource.without):
            if one.kind in ("", ANY) and one.version in ("", ANY):
                self._problem(f"{where}.without[{place}]", "neither kind nor version leaves out all; write {kind: Foo}, or remove it")
        if resource.everyVersion and any(version not in ("", ANY) for version in versions):
            self._problem(f"{where}.version", "version has no effect beside everyVersion; remove one of the two")

    def _name(self, entry: written.Entry, given: written.Metric) -> str:
        prefix = f"kube_{entry.resource.kind.lower()}" if entry.prefix is None else entry.prefix
        return f"{prefix}_{given.name}" if prefix else given.name

    def _place(self, path: str) -> str:
        return _nearest(self._nodes, path).place

    def _family(self, entry: written.Entry, given: written.Metric, path: str) -> Family:
        """Read a metric by paths."""
        name, problems = self._name(entry, given), list(misplaced_keys(given))
        for key, message in problems:
            self._problem(f"{path}.{key}", message)
        if not given.name or not METRIC_NAME.fullmatch(name):
            self._problem(f"{path}.name", f"{name!r} is not a legal name of a metric; use letters, digits and '_'")
        if given.type == "Info" and not name.endswith("_info"):
            _nearest(self._nodes, f"{path}.name").warn(f"{name}: the name of an info should end in _info")
        if given.type == "Info" and not given.elementLabels and not given.labelFromKey:
            _nearest(self._nodes, path).warn("an Info with path and without elementLabels and labelFromKey: nothing is shown")
        if given.type == "StateSet" and not given.states:
            _nearest(self._nodes, path).warn("a StateSet without states: nothing is shown")
        family = read_family(entry, given, name, path, self._problem)
        for message in secret_problems(Pattern(entry.resource.group, ANY, entry.resource.kind), family):
            self._problem(path, message)
        return replace(family, place=self._place(path))

    def _metric(self, entry: written.Entry, given: written.Metric, path: str) -> Metric:
        name = self._name(entry, given)
        for key, message in misplaced_keys(given):
            self._problem(f"{path}.{key}", message)
        self._check_name(name, given, path)
        if given.conditions:
            given = self._of_conditions(given, path)
        metric = replace(self._converted(entry, given, name), place=self._place(path))
        taken = IDENTITY[entry.identity]
        if metric.aggregate:
            taken = (SHARD, *(KIND_LABELS if KIND_LABELS[0] in taken else ()))
        places = {name: f"{path.rpartition('.metrics[')[0]}.labels.{name}" for name in entry.labels}
        places |= {name: f"{path}.{key}.{name}" for key in ("labels", "by") for name in getattr(given, key)}
        self._check_labels([*metric.labels, *filter(None, (metric.label,))], taken, {metric.label: f"{path}.label", **places})
        for key, message in misplaced(given, metric):
            self._problem(f"{path}.{key}" if key else path, message)
        try:
            compiled = compile_metric(metric)
        except InvalidPart as error:
            label = error.place.removeprefix("labels.")
            self._problem(f"{path}.by.{label}" if label in given.by else f"{path}.{error.place}", str(error))
        else:
            if compiled.steps > MAX_STEPS:
                self._problem(path, f"a sample takes {compiled.steps} steps; at most {MAX_STEPS} are allowed; write shorter expressions")
            for place, cure in secret_paths(entry.resource.group, entry.resource.kind, compiled.reads):
                self._problem(path, f"{name} reads {place}; {cure}")
        return metric

    def _converted(self, entry: written.Entry, given: written.Metric, name: str) -> Metric:
        conditions = [text for text in (entry.when, given.when) if text]
        is_state, own = given.type == "StateSet", {**given.labels, **given.by}
        return Metric(
            name=name,
            help=given.help,
            type=given.type.lower(),  # type: ignore[arg-type]
            value=given.value or given.celExpr,
            numbers=given.map,
            scale=given.scale,
            labels=own if given.aggregate else {**entry.labels, **own},
            label_maps=() if given.aggregate else (*entry.labelsFrom, *given.labelsFrom),
            when=" && ".join(f"({text})" for text in conditions) if len(conditions) > 1 else "".join(conditions),
            loops=tuple(Loop(loop.over, loop.variable, loop.key) for loop in given.forEach),
            states=tuple(given.states),
            other=given.other,
            label=(given.label or given.name) if is_state else "",
            aggregate=given.aggregate,
        )

    def _of_conditions(self, given: written.Metric, path: str) -> written.Metric:
        """Return the metric that the short form stands for: a stateset of the status of each condition, in lower case."""
        for key in ("value", "celExpr", "map", "scale", "states", "other", "label", "by", "aggregate"):
            if is_set(given, key):
                self._problem(f"{path}.{key}", f"{key} has no effect beside conditions; remove it")
        loop = written.Loop(given.conditions, _CONDITION)
        return msgspec.structs.replace(
            given,
            type="StateSet",
            value=f"{_CONDITION}.status == 'True' ? 'true' : {_CONDITION}.status == 'False' ? 'false' : 'unknown'",
            when=f"({given.when}) && has({_CONDITION}.type)" if given.when else f"has({_CONDITION}.type)",
            forEach=[*given.forEach, loop],
            labels={"condition": f"{_CONDITION}.type", **given.labels},
            states=list(_STATUS),
            label="status",
            scale=1,
            conditions="",
        )

    def _check_name(self, name: str, given: written.Metric, path: str) -> None:
        if not given.name or not METRIC_NAME.fullmatch(name):
            self._problem(f"{path}.name", f"{name!r} is not a legal name of a metric; use letters, digits and '_'")
        endings = {"Counter": "_total", "Info": "_info"}
        if given.type in endings and not name.endswith(endings[given.type]):
            ending = endings[given.type]
            self._problem(f"{path}.name", f"the name of type {given.type} ends in {ending}; write name: {given.name}{ending}")

    def _check_labels(self, names: Iterable[str], taken: tuple[str, ...], places: Mapping[str, str]) -> None:
        """Check the names of the labels of a metric.

        Args:
            places: path of each label.
        """
        seen: set[str] = set()
        for name in names:
            where = places.get(name, "")
            if not LABEL_NAME.fullmatch(name) or name.startswith("__"):
                self._problem(where, f"{name!r} is not a legal name of a label; use letters, digits and '_'")
            if name in taken:
                whose = "its kind" if name in KIND_LABELS else "its agents" if name == SHARD else "its object"
                self._problem(where, f"every sample has the label {name} of {whose}; choose another name")
            if name in seen:
                self._problem(where, f"the label {name} is already taken; choose another name")
            seen.add(name)
