"""Documents of agents for tests."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import orjson

CONTAINER, POD, NODE = ["cpu", "memory"], ["cpu_pressure"], ["cpu", "memory"]


def pod(name: str, namespace: str = "shop", containers: Sequence[str] = ("app",), **labels: str) -> dict[str, Any]:
    """Return one of the `objects`."""
    return {"namespace": namespace, "name": name, "uid": f"uid-{name}", "labels": labels, "containers": list(containers)}


def document(node: str, *pods: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the document of an agent: each container uses 0.25 cores and 1 MiB; its pod waits a tenth of the time.

    Args:
        changes: fields that are replaced.
    """
    now = time.time()
    return {
        "version": 1,
        "node": node,
        "sent": now,
        "generation": "g1",
        "objects": list(pods),
        "container_metrics": CONTAINER,
        "pod_metrics": POD,
        "node_metrics": NODE,
        "pods": [row(now - 1, len(one["containers"])) for one in pods],
        "node_usage": [now - 1, 10.0, [1.5, 1 << 30]],
        "shards": [],
        **changes,
    }


def row(moment: float, containers: int = 1, cpu: float = 0.25) -> list[Any]:
    """Return the usage of a pod."""
    return [moment, 10.0, [[cpu, 1 << 20] for _ in range(containers)], [0.1]]


def encoded(value: dict[str, Any], with_objects: bool = True) -> bytes:
    """Return a document as it is sent."""
    return orjson.dumps(value if with_objects else {key: each for key, each in value.items() if key != "objects"})
