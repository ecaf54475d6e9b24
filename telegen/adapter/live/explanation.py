"""Explain a metric of the agents: its column or family, how values are combined, and the rule that takes precedence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from telegen.adapter.live.external import COUNT
from telegen.adapter.live.metrics import BY_NAME, LiveMetric
from telegen.adapter.queries.backend import RulesBackend
from telegen.adapter.rest_mapping import NAMESPACES, NODES, PODS, GroupResource

MOST = 20
"""Values of one metric."""
RESOURCE_METRICS = {"cpu": "CPU time per second, in cores", "memory": "memory in use without inactive page cache, in bytes"}
Ask = Callable[[str], Mapping[str, Any]]
"""Function of a path on the API server that returns the document. Raises AskError."""


class AskError(Exception):
    """The API server does not answer a request; the message is the cause."""


class LiveExplanation:
    """Explains the metrics of agents.

    Attributes:
        names: of all live metrics.
    """

    def __init__(self, families: Collection[str], ask: Ask | None = None) -> None:
        """Prepare.

        Args:
            families: names of the families that are external metrics.
            ask: None to show no values.
        """
        self._families, self._ask = families, ask
        self.names = frozenset((*BY_NAME, *RESOURCE_METRICS, *families, *(name + COUNT for name in families)))

    def lines(self, name: str, namespace: str, rules: RulesBackend) -> Iterator[str]:
        """Yield the lines about a metric; none if the agents do not have it.

        Args:
            namespace: to show values of; "" to show those of nodes only.
        """
        if name in RESOURCE_METRICS:
            yield from self._resource(name, rules)
        if name in BY_NAME:
            for resource in BY_NAME[name].resources:
                yield from self._custom(BY_NAME[name], resource, namespace, rules)
        family = name.removesuffix(COUNT)
        if name in self._families or family in self._families:
            yield from self._external(name, name if name in self._families else family, namespace, rules)

    def _resource(self, name: str, rules: RulesBackend) -> Iterator[str]:
        yield f"pods/{name}, nodes/{name} (resource, live)"
        yield f"  value: {RESOURCE_METRICS[name]}"
        yield f"  source: column {name} of containers and nodes, by the agents"
        if rules.rules.resource:
            yield "  replaced by: resourceRules"

    def _custom(self, metric: LiveMetric, resource: GroupResource, namespace: str, rules: RulesBackend) -> Iterator[str]:
        yield f"{resource}/{metric.name} (custom, live)"
        yield f"  value: {metric.text}"
        yield f"  source: {_source(metric, resource)}"
        if rule := rules.registry.custom.get((resource, metric.name)):
            yield f"  replaced by: {rule.rule.place}"
        paths = {
            PODS: f"namespaces/{namespace}/pods/*/{metric.name}",
            NAMESPACES: f"namespaces/{namespace}/metrics/{metric.name}",
            NODES: f"nodes/*/{metric.name}",
        }
        if namespace or resource == NODES:
            yield from self._values(f"/apis/custom.metrics.k8s.io/v1beta2/{paths[resource]}")

    def _external(self, name: str, family: str, namespace: str, rules: RulesBackend) -> Iterator[str]:
        combined = "sum" if name == family else "number"
        yield f"{name} (external, live)"
        yield f"  source: {combined} of the samples of {family} in the namespace, and of those without a namespace, by the agents"
        if rule := rules.registry.external.get(name):
            yield f"  replaced by: {rule.rule.place}"
        if namespace:
            yield from self._values(f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{name}")

    def _values(self, path: str) -> Iterator[str]:
        """Yield the values that the API server answers now."""
        if not self._ask:
            return
        try:
            items = self._ask(path).get("items") or []
        except AskError as error:
            yield f"  no values: {error}"
            return
        yield f"  values: {len(items)}, by {path}"
        for item in items[:MOST]:
            yield f"    {item.get('describedObject', {}).get('name') or item.get('metricName', '')}: {item.get('value')}"


def _source(metric: LiveMetric, resource: GroupResource) -> str:
    """Return the column of a resource, and how its values are made."""
    combined = "sum" if metric.combine is sum else "highest"
    if resource == NODES:
        return f"column {metric.column} of nodes, by the agents"
    if resource == NAMESPACES:
        return f"{combined} of the pods of the namespace"
    if metric.of_containers:
        return f"column {metric.column} of containers, by the agents; {combined} of the containers of the pod"
    return f"column {metric.column} of pods, by the agents"
