"""Explain a metric: the rule, the series, the query and the values, or the reason why it is not registered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from telegen.adapter.live.explanation import RESOURCE_METRICS, LiveExplanation
from telegen.adapter.prometheus import PrometheusError, Sample
from telegen.adapter.quantities import quantity, thousandths
from telegen.adapter.queries.backend import NOT_FINITE, RulesBackend
from telegen.adapter.queries.promql import Matcher, name_matcher, render_query
from telegen.adapter.queries.registry import SERIES_NAME, Metric, named_series, rule_metrics
from telegen.adapter.rest_mapping import NAMESPACES, NODES, PODS
from telegen.adapter.rules.labels import ResourceLabels, UnknownResource
from telegen.adapter.rules.model import Rule
from telegen.adapter.templates import Template, TemplateError
from telegen.config.messages import suggest
from telegen.kubestate.registry import RESOURCES

FAMILY_NAMES = frozenset(family.name for resource in RESOURCES.values() for family in resource.families)
MOST = 20
"""Values, names or labels of one line or list."""
ANY = ".+"


def explain(backend: RulesBackend, live: LiveExplanation, name: str, namespace: str = "") -> tuple[list[str], bool]:
    """Return the lines about a metric, and True if it is registered.

    Args:
        name: of the metric, without its resource.
        namespace: to show values of; "" for all.
    """
    registry = backend.registry
    found = [metric for (_, one), metric in registry.custom.items() if one == name]
    found += [metric for metric in (registry.external.get(name),) if metric]
    lines = [line for metric in found for line in _registered(backend, metric, namespace)]
    lines += [*_resource(backend, name, namespace), *live.lines(name, namespace, backend)]
    if lines:
        # The custom and external metrics of a rule whose series cannot be read are unknown.
        unknown = () if found or name in RESOURCE_METRICS else registry.problems
        return [*lines, *(f"  a rule may replace it: {problem}" for problem in unknown)], True
    known = {one for _, one in registry.custom} | set(registry.external) | live.names
    lines = [f"{name} is not registered{suggest(name, sorted(known))}"]
    if name in FAMILY_NAMES:
        lines.append(f"  {name} is a family of the agents: add it to adapter.external_families for an external metric")
    lines += [f"  {problem}" for problem in (*backend.rules.problems, *registry.problems)]
    rules = (*backend.rules.custom, *backend.rules.external)
    failed = [rule for rule in rules if any(problem.startswith(f"{rule.place}: ") for problem in registry.problems)]
    return lines + [f"  {rule.place}: {_absence(backend, rule, name)}" for rule in rules if rule not in failed], False


def _registered(backend: RulesBackend, metric: Metric, namespace: str) -> Iterator[str]:
    """Yield the lines about one resource of a metric."""
    title = f"{metric.resource.resource}/{metric.name} (custom)" if metric.resource else f"{metric.name} (external)"
    servers = ", ".join(backend.servers.servers[place].url for place in metric.servers)
    yield title
    yield f"  rule: {metric.rule.place}"
    yield f"  series: {metric.series}, selected by {metric.rule.series_query}, of {servers}"
    yield f"  labels: {_label_line(metric)}"
    for rule in _replaced(backend, metric):
        yield f"  replaces: {rule.place}"
    group_by = [metric.label] if metric.label else []
    yield from _answer(backend, metric.rule.query, metric.series, _matchers(metric, namespace), group_by, metric.servers)


def _answer(
    backend: RulesBackend,
    template: Template,
    series: str,
    matchers: Sequence[Matcher],
    group_by: Sequence[str],
    servers: tuple[int, ...] = (),
) -> Iterator[str]:
    """Yield the query, and the values of its answer."""
    try:
        query = render_query(template, series, matchers, group_by)
        yield f"  query: {query}"
        samples = backend.servers.query(query, servers)
    except (TemplateError, PrometheusError) as error:
        yield f"  no values: {error}"
        return
    yield f"  samples: {len(samples)}"
    yield from (f"    {_value(group_by, sample)}" for sample in samples[:MOST])


def _resource(backend: RulesBackend, name: str, namespace: str) -> Iterator[str]:
    """Yield the lines about cpu or memory by the resource rules."""
    rules = backend.rules.resource
    rule = {"cpu": rules.cpu, "memory": rules.memory}.get(name) if rules else None
    if not rule:
        return
    for resource, template in ((PODS, rule.container_query), (NODES, rule.node_query)):
        yield f"{resource}/{name} (resource)"
        yield f"  rule: {rule.labels.place}"
        try:
            labels = ResourceLabels(rule.labels, backend.mapping, {})
        except UnknownResource as error:
            yield f"  no values: {error}"
            continue
        mapped = backend.mapping.find(resource)
        label = labels.label(mapped) if mapped else ""
        pairs = [*([(labels.namespace_label(), namespace)] if resource == PODS else []), (label, "")]
        group_by = [label, *([rule.container_label] if resource == PODS else [])]
        yield from _answer(backend, template, "", _any(pairs), group_by)


def _label_line(metric: Metric) -> str:
    namespace = f"namespace by {metric.namespace_label}" if metric.namespace_label else "no namespace"
    return f"{metric.resource.resource} by {metric.label}, {namespace}" if metric.resource else namespace


def _matchers(metric: Metric, namespace: str) -> list[Matcher]:
    """Return the matchers of all objects of a namespace, or of all namespaces."""
    pairs = [(label, "") for label in (metric.label,) if label]
    if metric.resource and metric.resource.resource == NAMESPACES:
        pairs = [(metric.label, namespace)]
    elif metric.namespace_label:
        pairs = [(metric.namespace_label, namespace), *pairs]
    return _any(pairs)


def _any(pairs: Sequence[tuple[str, str]]) -> list[Matcher]:
    """Return the matchers of labels with a name each, "" for any."""
    return [name_matcher(label, [name]) if name else Matcher(label, "=~", ANY, ANY) for label, name in pairs]


def _value(group_by: Sequence[str], sample: Sample) -> str:
    """Return the labels of a sample, those of the grouping alone if there is one, and its value."""
    labels = sample.labels or {}
    if group_by:
        name = "/".join(labels.get(label, "(no label)") for label in group_by)
    else:
        name = ",".join(f"{label}={value}" for label, value in sorted(labels.items())) or "(no labels)"
    value = thousandths(sample.value)
    return f"{name}: {sample.value}: left out: {NOT_FINITE}" if value is None else f"{name}: {quantity(value)}"


def _replaced(backend: RulesBackend, metric: Metric) -> Iterator[Rule]:
    """Yield the earlier rules that make the same metric."""
    for rule in (*backend.rules.custom, *backend.rules.external):
        if rule == metric.rule:
            return
        try:
            labels = ResourceLabels(rule.labels, backend.mapping, {})
        except UnknownResource:
            continue
        shapes = backend.registry.shapes.get(rule.series_query, {})
        if any((one.name, one.resource) == (metric.name, metric.resource) for one in rule_metrics(rule, labels, shapes)):
            yield rule


def _absence(backend: RulesBackend, rule: Rule, name: str) -> str:
    """Return the reason why a rule does not make a metric."""
    shapes = backend.registry.shapes.get(rule.series_query, {})
    if not shapes:
        return f"seriesQuery selects no series: {rule.series_query}"
    plain = [shape for shape in shapes if SERIES_NAME.fullmatch(shape.name)]
    if not plain:
        return f"the series have names that a template cannot write into a query: {_some(sorted({shape.name for shape in shapes}))}"
    kept = sorted({shape.name for shape in plain if rule.keeps(shape.name)})
    if not kept:
        return f"seriesFilters drop all {len(shapes)} series: {_some(sorted({shape.name for shape in shapes}))}"
    named = list(named_series(rule, shapes))
    if not named:
        return f"name.matches matches no name of the series: {_some(kept)}"
    names = sorted({one for one, _ in named})
    if name not in names:
        return f"makes other names: {_some(names)}"
    labels = ResourceLabels(rule.labels, backend.mapping, {})
    of_series = sorted({label for one, shape in named if one == name for label in shape.labels})
    if not labels.namespace_label() and (rule.is_external or labels.resources(of_series)):
        return "no label for namespaces: add one to overrides" + (", or write `namespaced: false`" if rule.is_external else "")
    return f"no label of the series names a resource: {_some(of_series)}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
