"""Metrics that the rules make of the series of Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from telegen.adapter.prometheus import SeriesShape, Servers
from telegen.adapter.rest_mapping import NAMESPACES, GroupResource, Mapped, RestMapping
from telegen.adapter.rules.labels import ResourceLabels, TemplateLabels, UnknownResource
from telegen.adapter.rules.model import Rule, RulesFile

SERIES_NAME = re.compile(r"[a-zA-Z_:][\w:]*", re.ASCII)


@dataclass(frozen=True)
class Metric:
    """A metric that can be asked for.

    Attributes:
        resource: that it is about; None for an external metric.
        label: of the series, that names the resource; "" for an external metric.
        namespace_label: that names the namespace; "" for a resource without namespace, and for an external metric of every namespace.
        servers: places of the servers that have the series.
    """

    name: str
    rule: Rule
    series: str
    resource: Mapped | None
    label: str
    namespace_label: str
    servers: tuple[int, ...]


@dataclass(frozen=True)
class Registry:
    """Metrics of one discovery of series.

    Attributes:
        custom: by resource and name. Of several rules the last one counts.
        external: by name.
        problems: a line for each rule that gives no metrics because of the cluster or of Prometheus.
        shapes: series by selector, also of selectors that failed this time and did not before.
    """

    custom: Mapping[tuple[GroupResource, str], Metric] = field(default_factory=dict)
    external: Mapping[str, Metric] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    shapes: Mapping[str, Mapping[SeriesShape, tuple[int, ...]]] = field(default_factory=dict)


def discover_metrics(rules: RulesFile, mapping: RestMapping, servers: Servers, max_age: float, last: Registry) -> Registry:
    """Ask for the series of each distinct selector once, and return the metrics of all rules.

    Args:
        max_age: seconds back in time that a series counts.
        last: the discovery before this one. Its series stay for selectors that fail now.
    """
    problems, shapes = list[str](), dict[str, Mapping[SeriesShape, tuple[int, ...]]]()
    for rule in (*rules.custom, *rules.external):
        if rule.series_query not in shapes:
            answer = servers.series(rule.series_query, max_age)
            problems += [f"{rule.place}: seriesQuery: {error}" for error in answer.errors.values()]
            kept = last.shapes.get(rule.series_query, {}) if answer.errors else {}
            shapes[rule.series_query] = {**kept, **answer.servers}
    templates = dict[str, TemplateLabels]()
    custom, external = dict[tuple[GroupResource, str], Metric](), dict[str, Metric]()
    for rule in (*rules.custom, *rules.external):
        try:
            labels = ResourceLabels(rule.labels, mapping, templates)
        except UnknownResource as error:
            problems.append(f"{rule.place}: {error}")
            continue
        for one in rule_metrics(rule, labels, shapes[rule.series_query]):
            if one.resource:
                custom[one.resource.resource, one.name] = one
            else:
                external[one.name] = one
    return Registry(custom, external, tuple(problems), shapes)


def named_series(rule: Rule, shapes: Mapping[SeriesShape, tuple[int, ...]]) -> Iterator[tuple[str, SeriesShape]]:
    """Yield the series that a rule selects, with the name of their metric, in the order of Prometheus.

    Prometheus 3 has names of any characters. Templates write names into queries as they are, so only plain ones are taken:
    another one would be part of the query's syntax.
    """
    for shape in shapes:
        if SERIES_NAME.fullmatch(shape.name) and rule.keeps(shape.name) and (name := rule.name.metric(shape.name)):
            yield name, shape


def rule_metrics(rule: Rule, labels: ResourceLabels, shapes: Mapping[SeriesShape, tuple[int, ...]]) -> Iterator[Metric]:
    """Yield the metrics of one rule."""
    return _external(rule, labels, shapes) if rule.is_external else _custom(rule, labels, shapes)


def _custom(rule: Rule, labels: ResourceLabels, shapes: Mapping[SeriesShape, tuple[int, ...]]) -> Iterator[Metric]:
    """Yield a metric for each resource of each series. A resource with a namespace needs a label for it."""
    for name, shape in named_series(rule, shapes):
        namespace_label = labels.namespace_label(shape.labels)
        for mapped, label in labels.resources(shape.labels).items():
            of_namespace = namespace_label if mapped.namespaced else ""
            if mapped.resource != NAMESPACES and mapped.namespaced and not of_namespace:
                continue
            yield Metric(name, rule, shape.name, mapped, label, of_namespace, shapes[shape])


def _external(rule: Rule, labels: ResourceLabels, shapes: Mapping[SeriesShape, tuple[int, ...]]) -> Iterator[Metric]:
    """Yield a metric for each name of series; without a label for namespaces only if the rule has `namespaced: false`."""
    for name, shape in named_series(rule, shapes):
        label = labels.namespace_label(shape.labels) if rule.labels.namespaced else ""
        if label or not rule.labels.namespaced:
            yield Metric(name, rule, shape.name, None, "", label, shapes[shape])
