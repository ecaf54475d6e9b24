"""Queries of the resource rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Optional

from telegen.adapter.agents.usage import Values
from telegen.adapter.apis.answers import failed
from telegen.adapter.queries.backend import RulesBackend
from telegen.adapter.queries.promql import name_matcher
from telegen.adapter.rest_mapping import NODES, PODS, GroupResource
from telegen.adapter.rules.labels import ResourceLabels, TemplateLabels, UnknownResource
from telegen.adapter.rules.model import ResourceRule, ResourceRules

Key = tuple[str, str]
"""Names of an object and of a container; "" for the container of a node."""
Timed = tuple[Optional[float], float]
"""Cores or bytes, None if they are not finite, and the time in Unix seconds."""
_UNKNOWN: Timed = (None, math.inf)


class UsageQueries:
    """Usage of objects by name."""

    def __init__(self, backend: RulesBackend, rules: ResourceRules) -> None:
        self._backend, self._rules = backend, rules

    def usage(self, resource: GroupResource, namespace: str, names: Sequence[str]) -> dict[str, tuple[float, dict[str, Values]]]:
        """Return the oldest time and the values of containers, or of the container "" of nodes, by object. Raises StatusError."""
        cpu = self._values(self._rules.cpu, resource, namespace, names)
        memory = self._values(self._rules.memory, resource, namespace, names)
        containers, times = dict[str, dict[str, Values]](), dict[str, float]()
        for name, container in sorted(cpu.keys() | memory.keys()):
            cores, first = cpu.get((name, container), _UNKNOWN)
            size, second = memory.get((name, container), _UNKNOWN)
            containers.setdefault(name, {})[container] = {"cpu": cores, "memory": size}
            times[name] = min(first, second, times.get(name, math.inf))
        return {name: (times[name], values) for name, values in containers.items()}

    def _values(self, rule: ResourceRule, resource: GroupResource, namespace: str, names: Sequence[str]) -> dict[Key, Timed]:
        """Return the values by object and container."""
        labels, mapped = self._labels(rule), self._backend.mapping.find(resource)
        label, namespace_label = labels.label(mapped) if mapped else "", labels.namespace_label()
        if not label or (namespace and not namespace_label):
            raise failed(f"{rule.labels.place}: no label for {resource}, or none for its namespace")
        of_container = [rule.container_label] if resource == PODS else []
        matchers = [name_matcher(namespace_label, [namespace])] if namespace else []
        query = rule.node_query if resource == NODES else rule.container_query
        values, wanted = dict[Key, Timed](), frozenset(names)
        matchers.append(name_matcher(label, names))
        for sample in self._backend.query(rule.labels.place, query, "", matchers, [label, *of_container]):
            found = sample.labels or {}
            key = found.get(label, ""), found.get(rule.container_label, "") if of_container else ""
            value = self._backend.finite(str(resource), sample, namespace)
            if key[0] in wanted:
                values[key] = (None if value is None else value / 1000, sample.time)
        return values

    def _labels(self, rule: ResourceRule) -> ResourceLabels:
        try:
            return ResourceLabels(rule.labels, self._backend.mapping, dict[str, TemplateLabels]())
        except UnknownResource as error:
            raise failed(f"{rule.labels.place}: {error}") from error
