"""Queries of the resource rules."""

from __future__ import annotations

from collections.abc import Sequence

from telegen.adapter.apis.answers import failed
from telegen.adapter.apis.values import Usage
from telegen.adapter.backend import RulesBackend
from telegen.adapter.promql import name_matcher
from telegen.adapter.rest_mapping import NODES, PODS, GroupResource
from telegen.adapter.rules.labels import ResourceLabels, TemplateLabels, UnknownResource
from telegen.adapter.rules.model import ResourceRule, ResourceRules

Key = tuple[str, str]
"""Names of an object and of a container; "" for the container of a node."""
Timed = tuple[int, float]
"""Value in thousandths, -1 for one that is not finite, and its time in Unix seconds."""
_ABSENT: Timed = (-1, 0.0)


class UsageQueries:
    """Usage of objects by name."""

    def __init__(self, backend: RulesBackend, rules: ResourceRules) -> None:
        self._backend, self._rules = backend, rules

    def usage(self, resource: GroupResource, namespace: str, names: Sequence[str]) -> dict[str, tuple[float, dict[str, Usage]]]:
        """Return time and usage of containers, or of the container "" of nodes, by object.

        An object with a container of which CPU or memory is absent, negative or not finite is left out as a whole:
        a sum without it would be too small.

        Raises:
            StatusError.
        """
        cpu = self._values(self._rules.cpu, resource, namespace, names)
        memory = self._values(self._rules.memory, resource, namespace, names)
        found, times = dict[str, dict[str, Usage]](), dict[str, float]()
        whole = {name for name, _ in cpu.keys() | memory.keys()}
        for name, container in sorted(cpu.keys() | memory.keys()):
            first, second = cpu.get((name, container), _ABSENT), memory.get((name, container), _ABSENT)
            if min(first[0], second[0]) < 0:
                whole.discard(name)
            found.setdefault(name, {})[container] = Usage(first[0] * 10**6, second[0] // 1000)
            times[name] = min(first[1], second[1], times.get(name, first[1]))
        return {name: (times[name], containers) for name, containers in found.items() if name in whole}

    def _values(self, rule: ResourceRule, resource: GroupResource, namespace: str, names: Sequence[str]) -> dict[Key, Timed]:
        """Return the values by object and container."""
        labels, mapped = self._labels(rule), self._backend.mapping.find(resource)
        label = labels.label(mapped) if mapped else ""
        if not label or (namespace and not labels.namespace_label):
            raise failed(f"{rule.labels.place}: no label for {resource}, or none for its namespace")
        of_container = [rule.container_label] if resource == PODS else []
        matchers = [name_matcher(labels.namespace_label, [namespace])] if namespace else []
        query = rule.node_query if resource == NODES else rule.container_query
        values, wanted = dict[Key, Timed](), frozenset(names)
        matchers.append(name_matcher(label, names))
        for sample in self._backend.query(rule.labels.place, query, "", matchers, [label, *of_container]):
            found = sample.labels or {}
            key = found.get(label, ""), found.get(rule.container_label, "") if of_container else ""
            value = self._backend.finite(str(resource), sample)
            if key[0] in wanted:
                values[key] = (-1 if value is None else value, sample.time)
        return values

    def _labels(self, rule: ResourceRule) -> ResourceLabels:
        try:
            return ResourceLabels(rule.labels, self._backend.mapping, dict[str, TemplateLabels]())
        except UnknownResource as error:
            raise failed(f"{rule.labels.place}: {error}") from error
