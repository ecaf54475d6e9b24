"""Queries of the resource rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from telegen.adapter.backend import QueryError, RulesBackend
from telegen.adapter.prometheus import PrometheusError, Sample, Unanswered
from telegen.adapter.promql import Matcher, name_matcher, render_query
from telegen.adapter.rest_mapping import NODES, PODS, GroupResource
from telegen.adapter.rules.labels import ResourceLabels, TemplateLabels, UnknownResource
from telegen.adapter.rules.model import ResourceRule, ResourceRules
from telegen.adapter.templates import Template, TemplateError

Key = tuple[str, str]
"""Names of an object and of a container; "" for the container of a node."""


class Usage(NamedTuple):
    """Usage of a container or a node.

    Attributes:
        cpu, memory: in thousandths of a core and of a byte.
        time: of the older sample, in seconds since the epoch.
    """

    cpu: int
    memory: int
    time: float


class ResourceQueries:
    """Usage of objects by name."""

    def __init__(self, backend: RulesBackend, rules: ResourceRules) -> None:
        self._backend, self._rules = backend, rules

    def usage(self, resource: GroupResource, namespace: str, names: Sequence[str]) -> dict[str, dict[str, Usage]]:
        """Return the usage of containers, or of the container "" of nodes, by object.

        An object with a container of which CPU or memory is absent, negative or not finite is left out as a whole:
        a sum without it would be too small.

        Raises:
            QueryError.
        """
        cpu = self._values(self._rules.cpu, resource, namespace, names)
        memory = self._values(self._rules.memory, resource, namespace, names)
        found = dict[str, dict[str, Usage]]()
        whole = {name for name, _ in cpu.keys() | memory.keys()}
        for key in cpu.keys() | memory.keys():
            first, second = cpu.get(key), memory.get(key)
            if not first or not second or min(first[0], second[0]) < 0:
                whole.discard(key[0])
            else:
                found.setdefault(key[0], {})[key[1]] = Usage(first[0], second[0], min(first[1], second[1]))
        return {name: containers for name, containers in found.items() if name in whole}

    def _values(self, rule: ResourceRule, resource: GroupResource, namespace: str, names: Sequence[str]) -> dict[Key, tuple[int, float]]:
        """Return value and time by object and container; -1 for a value that is not finite."""
        labels, mapped = self._labels(rule), self._backend.mapping.find(resource)
        label = labels.label(mapped) if mapped else ""
        if not label or (namespace and not labels.namespace_label):
            raise QueryError(f"{rule.labels.place}: no label for {resource}, or none for its namespace")
        of_container = [rule.container_label] if resource == PODS else []
        matchers = [name_matcher(labels.namespace_label, [namespace])] if namespace else []
        query = rule.node_query if resource == NODES else rule.container_query
        values, wanted = dict[Key, tuple[int, float]](), frozenset(names)
        for sample in self._samples(rule, query, [*matchers, name_matcher(label, names)], [label, *of_container]):
            found = sample.labels or {}
            key = found.get(label, ""), found.get(rule.container_label, "") if of_container else ""
            value = self._backend.finite(str(resource), sample)
            if key[0] in wanted:
                values[key] = (-1 if value is None else value, sample.time)
        return values

    def _samples(self, rule: ResourceRule, template: Template, matchers: list[Matcher], group_by: list[str]) -> list[Sample]:
        try:
            return self._backend.servers.query(render_query(template, "", matchers, group_by))
        except TemplateError as error:
            raise QueryError(f"{rule.labels.place}: {error}") from error
        except PrometheusError as error:
            raise QueryError(f"{rule.labels.place}: {error}", isinstance(error, Unanswered)) from error

    def _labels(self, rule: ResourceRule) -> ResourceLabels:
        try:
            return ResourceLabels(rule.labels, self._backend.mapping, dict[str, TemplateLabels]())
        except UnknownResource as error:
            raise QueryError(f"{rule.labels.place}: {error}") from error
