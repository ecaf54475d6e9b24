"""Autoscalers with metrics of every kind, and what they compute."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.cluster.control_plane import Object


def resource(name: str, target: Object, container: str = "") -> Object:
    """A metric of pods' CPU or memory, or of one of their containers'."""
    if container:
        return {"type": "ContainerResource", "containerResource": {"name": name, "container": container, "target": target}}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def pods(metric: str, average: str, **labels: str) -> Object:
    """A metric of pods, of the series with some labels."""
    identifier = {"name": metric, **({"selector": {"matchLabels": labels}} if labels else {})}
    return {"type": "Pods", "pods": {"metric": identifier, "target": average_value(average)}}


def of_object(metric: str, version: str, kind: str, name: str, target: Object) -> Object:
    """A metric of one object."""
    described = {"apiVersion": version, "kind": kind, "name": name}
    return {"type": "Object", "object": {"metric": {"name": metric}, "describedObject": described, "target": target}}


def external(metric: str, target: Object, **labels: Any) -> Object:
    """An external metric; a label may be one of several values."""
    selector: Object = {
        "matchLabels": {key: value for key, value in labels.items() if isinstance(value, str)},
        "matchExpressions": [
            {"key": key, "operator": "In", "values": value} for key, value in labels.items() if not isinstance(value, str)
        ],
    }
    return {"type": "External", "external": {"metric": {"name": metric, "selector": selector}, "target": target}}


def utilization(percent: int) -> Object:
    """A target in percent of the requests."""
    return {"type": "Utilization", "averageUtilization": percent}


def average_value(quantity: str) -> Object:
    """A target of the value divided by the number of pods."""
    return {"type": "AverageValue", "averageValue": quantity}


def value(quantity: str) -> Object:
    """A target of the whole value."""
    return {"type": "Value", "value": quantity}


class Case(NamedTuple):
    """A metric of an autoscaler of four pods. At rest its value is 40 % of the target, for which 2 pods are enough.

    Attributes:
        metric: of the specification.
        current: what the autoscaler shows of it at rest.
        source: what a test raises: a series of the target, or `cpu` or `memory` and a container.
        raised: the value: cores, mebibytes or that of the series.
        replicas: what the autoscaler computes then.
    """

    metric: Object
    current: Object
    source: str
    raised: float
    replicas: int


CASES = (
    # Each of two containers requests 0.2 cores and uses 0.04.
    Case(resource("cpu", utilization(50)), {"averageUtilization": 20}, "cpu sidecar", 0.34, 8),
    Case(resource("memory", average_value("250Mi")), {"averageValue": "100Mi"}, "memory app", 600, 11),
    Case(resource("cpu", utilization(50), "app"), {"averageUtilization": 20}, "cpu app", 0.34, 14),
    Case(pods("http_hits", "10", verb="GET"), {"averageValue": "4"}, 'http_hits{namespace="shop",pod="web-%d",verb="GET"}', 21, 9),
    Case(
        of_object("front_load", "v1", "Service", "front", value("100")),
        {"value": "40"},
        'front_load{namespace="shop",service="front"}',
        160,
        7,
    ),
    Case(
        of_object("tickets", "v1", "Namespace", "shop", average_value("10")),
        {"averageValue": "4"},
        'tickets{namespace="shop"}',
        114,
        12,
    ),
    Case(
        of_object("rows_left", "batch/v1", "Job", "import", value("100")),
        {"value": "40"},
        'rows_left{namespace="shop",job_name="import"}',
        120,
        5,
    ),
    Case(
        external("queue_depth", average_value("10"), queue="orders", env=["p", "q"]),
        {"averageValue": "4"},
        'queue_depth{namespace="shop",env="q",queue="orders"}',
        45,
        6,
    ),
)
