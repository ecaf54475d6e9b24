"""The usage that the sampler publishes after each pass, for the web processes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
import orjson

from telegen.cadvisor.usage.columns import CONTAINER, NODE, POD, RESTARTS, Number
from telegen.cadvisor.usage.rates import Usage

CONTAINER_METRICS = [*(column.name for column in CONTAINER), RESTARTS]
POD_METRICS = [column.name for column in POD]
NODE_METRICS = [column.name for column in NODE]

_COLUMNS = orjson.dumps([CONTAINER_METRICS, POD_METRICS, NODE_METRICS])

DIGITS, LARGE, LARGE_DIGITS = 9, 1000, 3
"""Digits behind the point: nanocores. Of values from LARGE on, thousandths, in which they are served. PERF: 20 bytes less per pod."""


class UsageDocument(msgspec.Struct, frozen=True):
    """Usage of one pass.

    Attributes:
        run: identity of the sampler's process: it begins to count anew.
        generation: changes with `objects`.
        objects: JSON list of the pods: identity, labels, names of containers.
        pods: JSON list of their usage in the same order: [time, window, values by container, values of the pod]; null for none.
        node_usage: JSON list of [time, window, values]; null for none.
    """

    run: str
    node: str
    generation: str
    objects: bytes
    pods: bytes
    node_usage: bytes


def without_usage(node: str) -> UsageDocument:
    """Return the document of an agent that serves kube_* alone."""
    return UsageDocument(node, node, "none", b"[]", b"[]", b"null")


class PodObject(msgspec.Struct, frozen=True):
    """Identity of a pod, and the names of its containers."""

    namespace: str
    name: str
    uid: str
    labels: bytes
    containers: tuple[str, ...]


def encode_objects(pods: Sequence[PodObject]) -> tuple[str, bytes]:
    """Return generation and JSON of the pods. Equal pods with equal columns have the same generation, in every process."""
    data = orjson.dumps(
        [
            {
                "namespace": pod.namespace,
                "name": pod.name,
                "uid": pod.uid,
                "labels": orjson.Fragment(pod.labels),
                "containers": pod.containers,
            }
            for pod in pods
        ]
    )
    return hashlib.blake2b(data + _COLUMNS, digest_size=12).hexdigest(), data


def numbers(values: Sequence[Number]) -> list[Number]:
    """Return values as they are sent: whole ones without a point."""
    return [
        value if value is None else int(value) if value == int(value) else round(value, DIGITS if value < LARGE else LARGE_DIGITS)
        for value in values
    ]


def encode_node(usage: Usage | None, offset: float) -> bytes:
    """Return the JSON of the node's usage.

    Args:
        offset: from the clock of the usage to Unix time.
    """
    return orjson.dumps(None if usage is None else [*times(usage, offset), numbers(usage.values)])


def times(usage: Usage, offset: float) -> tuple[float, float]:
    """Return time and window in Unix seconds, to the millisecond."""
    return round(usage.time + offset, 3), round(usage.window, 3)
