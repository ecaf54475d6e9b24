"""Metrics of pods, nodes and namespaces by the agents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from telegen.adapter.agents.usage import PodUsage, UsageSource
from telegen.adapter.apis.answers import bad_request
from telegen.adapter.apis.values import ALL, LIVE, CustomRequest, ObjectValue
from telegen.adapter.label_selectors import Requirement
from telegen.adapter.live.metrics import BY_NAME, LIVE_METRICS, RESOURCES, LiveMetric
from telegen.adapter.live.selection import require_usage, selected
from telegen.adapter.quantities import rounded_thousandths
from telegen.adapter.rest_mapping import NODES, PODS, GroupResource, Mapped

CONTAINER = "container"
"""The label of the series of metrics of containers."""


class LiveCustom:
    """Backend of custom.metrics.k8s.io over the agents."""

    source = LIVE

    def __init__(self, source: UsageSource) -> None:
        self._source = source

    def listed(self) -> Iterator[tuple[Mapped, str]]:
        """Yield resource and name of each metric of the table."""
        for metric in LIVE_METRICS:
            for resource in metric.resources:
                yield RESOURCES[resource], metric.name

    def find(self, resource: GroupResource, metric: str) -> Mapped | None:
        """Return the resource of a metric: by plural, singular or kind, in any case."""
        found = BY_NAME.get(metric) if not resource.group else None
        name, mapped = resource.resource.lower(), [RESOURCES[one] for one in (found.resources if found else ())]
        return next((one for one in mapped if name in (one.resource.resource, one.singular)), None)

    def values(self, request: CustomRequest, mapped: Mapped) -> list[ObjectValue] | None:
        """Return the values of the wanted objects, None if no object is selected. Raises StatusError."""
        metric = BY_NAME[request.metric]
        _check_selectors(request, mapped, metric)
        require_usage(self._source)
        name = "" if request.name == ALL else request.name
        # Labels select among all objects; an object that is named needs none.
        labels = () if name else request.label_terms
        if mapped.resource == NODES:
            nodes = selected(self._source.nodes(name), labels)
            values = [_value(node.name, node.values.get(metric.column), node.time, node.window) for node in nodes]
        elif mapped.resource == PODS:
            pods = selected(self._source.pods(request.namespace, name), labels)
            values = [_of_pod(metric, pod, request.series_terms) for pod in pods]
        else:
            values = list(_of_namespaces(metric, self._source.pods(name), request.series_terms))
        return [one for one in values if one] if values else None


def _check_selectors(request: CustomRequest, mapped: Mapped, metric: LiveMetric) -> None:
    """Raise StatusError for selectors of what the agents do not have."""
    if request.label_terms and request.name == ALL and mapped.resource not in (PODS, NODES):
        raise bad_request("labels of namespaces are not known here: ask for one namespace, or for all without labelSelector")
    has_containers = metric.of_containers and mapped.resource != NODES
    for term in request.series_terms:
        if not has_containers or term.key != CONTAINER:
            labels = f"the label {CONTAINER} only" if has_containers else "no labels"
            subject = f"{mapped.resource}/{metric.name}"
            raise bad_request(f"metricLabelSelector: {subject} has {labels}; remove {term.key} from the selector of the metric")


def _value(name: str, value: float | None, time: float, window: float) -> ObjectValue | None:
    rounded = rounded_thousandths(value)
    return None if rounded is None else ObjectValue(name, rounded, time, window)


def _of_pod(metric: LiveMetric, pod: PodUsage, terms: Sequence[Requirement]) -> ObjectValue | None:
    """Return the value of a pod; None if it is not known of every selected container: a sum without one would be too small."""
    return _value(pod.name, _pod_number(metric, pod, terms), pod.time, pod.window)


def _pod_number(metric: LiveMetric, pod: PodUsage, terms: Sequence[Requirement]) -> float | None:
    if not metric.of_containers:
        return pod.values.get(metric.column)
    numbers = [
        values.get(metric.column)
        for name, values in pod.containers.items()
        if not terms or all(term.selects({CONTAINER: name}) for term in terms)
    ]
    known = [number for number in numbers if number is not None]
    return metric.combine(known) if known and len(known) == len(numbers) else None


def _of_namespaces(metric: LiveMetric, pods: Iterable[PodUsage], terms: Sequence[Requirement]) -> Iterator[ObjectValue | None]:
    """Yield the value of each namespace, of the pods that have one: the time of the oldest, the longest window."""
    by_namespace = dict[str, list[tuple[float, float, float]]]()
    for pod in pods:
        number = _pod_number(metric, pod, terms)
        if number is not None:
            by_namespace.setdefault(pod.namespace, []).append((number, pod.time, pod.window))
    for namespace, found in sorted(by_namespace.items()):
        numbers, times, windows = zip(*found)
        yield _value(namespace, metric.combine(numbers), min(times), max(windows))
