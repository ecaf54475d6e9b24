"""Reader of the format with expressions: from its text to entries."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from telegen.config.errors import ConfigError
from telegen.kubestate.custom.expressions import written
from telegen.kubestate.custom.expressions.model import IDENTITY, SHARD, Loop, Metric, MetricEntry, Selector
from telegen.kubestate.custom.expressions.samples import InvalidPart, compile_metric
from telegen.kubestate.custom.expressions.secrets import secret_paths
from telegen.kubestate.custom.labels import LABEL_NAME, METRIC_NAME
from telegen.kubestate.custom.model import ANY
from telegen.kubestate.custom.nodes import Node, Report, root_node

_CONDITION = "condition"
_OF_OBJECTS = {name: f"every sample has the label {name} of its object" for name in IDENTITY}
_OF_AGGREGATES = {SHARD: "the label shard is that of the agents"}
"""Labels that samples have already, with the problem of further ones of these names."""
_UNUSED: Mapping[str, tuple[str, ...]] = {
    "count": ("value", "map", "states", "other", "label"),
    "info": ("value", "map", "states", "other", "label"),
    "stateset": ("map", "by"),
}
"""Keys without effect by type of the metric."""
_STATUS = {"true": "True", "false": "False", "unknown": "Unknown"}


class ReadMetrics(NamedTuple):
    """Entries of a configuration, and warnings about it."""

    entries: tuple[MetricEntry, ...]
    warnings: tuple[str, ...]


def read_metrics(text: bytes, source: str) -> ReadMetrics:
    """Read a configuration.

    Args:
        source: name of the file or the setting, for messages.

    Raises:
        ConfigError: one line per problem, with file, line, path, cause and cure.
    """
    report = Report(source)
    root = root_node(text, report)
    nodes: dict[str, Node] = {}
    data = root.plain(nodes)
    for path, message in _problems(written.File, data, ""):
        _nearest(nodes, path).problem(f"{message}")
    entries = () if report.problems else _Reader(nodes).entries(msgspec.convert(data, written.File, strict=False))
    if report.problems:
        raise ConfigError("\n".join(report.problems))
    return ReadMetrics(entries, tuple(report.warnings))


def _nearest(nodes: Mapping[str, Node], path: str) -> Node:
    """Return the node at a path, or the nearest one around it."""
    while path and path not in nodes:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return nodes[path]


def _problems(hint: Any, data: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, message) of each value that does not have the type that a hint says."""
    kind = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(data, dict):
        yield from _problems_of_block(kind, data, path)
    elif typing.get_origin(kind) is list and isinstance(data, list):
        for place, item in enumerate(data):
            yield from _problems(typing.get_args(kind)[0], item, f"{path}[{place}]")
    else:
        try:
            msgspec.convert(data, hint, strict=False)
        except msgspec.ValidationError as error:
            message, _, inner = str(error).partition(" - at `$")
            yield path + inner.rstrip("`"), message[0].lower() + message[1:].replace("`", "")


def _problems_of_block(kind: type[msgspec.Struct], data: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__))
    hints = typing.get_type_hints(kind, include_extras=True)
    for key, value in data.items():
        where = f"{path}.{key}" if path else key
        if key not in names:
            close = difflib.get_close_matches(key, names, 1)
            yield where, f"unknown key; did you mean {close[0]}?" if close else f"unknown key; choose from {', '.join(names)}"
        else:
            yield from _problems(hints[names[key]], value, where)
    for field in msgspec.structs.fields(kind):
        if field.required and field.encode_name not in data:
            yield path, f"no {field.encode_name}"


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
        if ANY == resource.group or ANY == resource.kind or not resource.kind:
            self._problem(f"{path}.resource", "name one group and one kind; * is not supported")
        if not entry.metrics:
            _nearest(self._nodes, path).warn("no metrics: nothing is shown")
        prefix = entry.prefix or f"kube_{resource.kind.lower()}"
        metrics = [self._metric(entry, metric, prefix, f"{path}.metrics[{place}]") for place, metric in enumerate(entry.metrics)]
        selector = Selector(entry.selector.labels, entry.selector.fields)
        return MetricEntry(
            resource.group, resource.kind, tuple(version for version in versions if version not in ("", ANY)), tuple(metrics), selector
        )

    def _metric(self, entry: written.Entry, given: written.Metric, prefix: str, path: str) -> Metric:
        name = f"{prefix}_{given.name}"
        self._check_name(name, given, path)
        if given.conditions:
            given = self._of_conditions(given, path)
        metric = self._converted(entry, given, name)
        taken = _OF_AGGREGATES if metric.aggregate else _OF_OBJECTS
        self._check_labels([*metric.labels, *filter(None, (metric.label,))], taken, path)
        self._check_shape(given, metric, path)
        try:
            compiled = compile_metric(metric)
        except InvalidPart as error:
            label = error.place.removeprefix("labels.")
            self._problem(f"{path}.by.{label}" if label in given.by else f"{path}.{error.place}", str(error))
        else:
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
        for key in ("value", "celExpr", "map", "states", "other", "label", "by", "aggregate"):
            if getattr(given, key):
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
            conditions="",
        )

    def _check_name(self, name: str, given: written.Metric, path: str) -> None:
        if not given.name or not METRIC_NAME.fullmatch(name):
            self._problem(f"{path}.name", f"{name!r} is not a legal name of a metric; use letters, digits and '_'")
        endings = {"Counter": "_total", "Info": "_info"}
        if given.type in endings and not name.endswith(endings[given.type]):
            self._problem(f"{path}.name", f"the name of type {given.type} ends in {endings[given.type]}: {name}{endings[given.type]}")

    def _check_labels(self, names: Iterable[str], taken: Mapping[str, str], path: str) -> None:
        seen: set[str] = set()
        for name in names:
            if not LABEL_NAME.fullmatch(name) or name.startswith("__"):
                self._problem(f"{path}.labels.{name}", f"{name!r} is not a legal name of a label; use letters, digits and '_'")
            if name in taken:
                self._problem(f"{path}.labels.{name}", f"{taken[name]}; choose another name")
            if name in seen:
                self._problem(f"{path}.label", f"the label {name} is already taken; choose another name")
            seen.add(name)

    def _check_shape(self, given: written.Metric, metric: Metric, path: str) -> None:
        """Check that the keys of a metric fit its type."""
        if given.value and given.celExpr:
            self._problem(f"{path}.celExpr", "celExpr is another name of value; remove one of the two")
        if metric.aggregate:
            self._check_aggregate(given, path)
        else:
            self._check_type(given, metric, path)
        for place, loop in enumerate(metric.loops):
            for name in filter(None, (loop.variable, loop.key)):
                if not LABEL_NAME.fullmatch(name):
                    self._problem(f"{path}.forEach[{place}]", f"{name!r} is not a legal name of a variable; use letters, digits and '_'")

    def _check_type(self, given: written.Metric, metric: Metric, path: str) -> None:
        if metric.type == "stateset" and not (metric.states and metric.value):
            self._problem(path, "a StateSet needs value and states")
        if metric.type in ("gauge", "counter") and not metric.value:
            self._problem(path, "no value; write an expression, or value: 1")
        if metric.type == "count" and not metric.loops:
            self._problem(path, "a Count needs forEach: the items that it counts")
        for key in filter(lambda key: getattr(given, key), _UNUSED.get(metric.type, ("by", "states", "other", "label"))):
            self._problem(f"{path}.{key}", f"{key} has no effect beside type {given.type}; remove it")

    def _check_aggregate(self, given: written.Metric, path: str) -> None:
        if given.type != "Gauge":
            self._problem(f"{path}.type", f"an aggregate is a Gauge, as it falls when objects go; remove type {given.type}")
        if given.aggregate != "count" and not (given.value or given.celExpr):
            self._problem(path, f"no value to take the {given.aggregate} of; write an expression")
        if given.labels:
            self._problem(f"{path}.labels", "an aggregate has no labels of objects; write by: the labels of its groups")
        for key in ("labelsFrom", "states", "other", "label", *(("value", "celExpr", "map") if given.aggregate == "count" else ())):
            if getattr(given, key):
                self._problem(f"{path}.{key}", f"{key} has no effect beside aggregate: {given.aggregate}; remove it")


def conflicts(entries: Iterable[MetricEntry]) -> Iterator[str]:
    """Yield one line per conflict between entries, which may be those of several files: two metrics with one name, or two selectors
    for the objects of one kind."""
    kinds: dict[str, str] = {}
    selectors: dict[tuple[str, str], Selector] = {}
    for entry in entries:
        kind = f"{entry.group}/{entry.kind}".removeprefix("/")
        if selectors.setdefault((entry.group, entry.kind), entry.selector) != entry.selector:
            yield f"{kind}: its entries have different selectors; give all of them the same one"
        for metric in entry.metrics:
            if kinds.get(metric.name) == kind:
                yield f"{metric.name}: two metrics of {kind} have this name; choose another name"
            elif metric.name in kinds:
                yield f"{metric.name}: a metric of {kinds[metric.name]} and of {kind}; choose another name or prefix"
            kinds[metric.name] = kind
