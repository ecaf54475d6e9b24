"""A simulated API server with custom resources: `python -m tests.bench.custom_cluster KINDS OBJECTS KILOBYTES` prints its URL.

Each object has some 3.9 kB of JSON, and more if more is requested; the configuration gives it 30 families and 69 samples.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from telegen.demo.server import SimulatedServer
from telegen.demo.state import State

GROUP = "bench.example"
DEFINITIONS = "customresourcedefinitions"
SCALARS = 20
"""Families of one sample each; the other ten have 49."""
CONDITIONS, ZONES, STATES = 5, 6, ("Pending", "Running", "Failed")

Object = dict[str, Any]


def definition(number: int) -> Object:
    """Return the definition of a kind."""
    plural, kind = f"things{number}", f"Thing{number}"
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "uid": f"crd-{number}", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": versions},
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }


def thing(kind: int, number: int) -> Object:
    """Return an object."""
    conditions = [
        {
            "type": f"Condition{one}",
            "status": "True" if (number + one) % 7 else "False",
            "reason": "Checked",
            "message": "The check of this condition has ended without a finding.",
            "lastTransitionTime": "2026-03-04T05:06:07Z",
        }
        for one in range(CONDITIONS)
    ]
    zones = {
        f"zone-{one}": {"replicas": number % 9 + one, "ready": bool((number + one) % 5), "cost": f"{one}.25"} for one in range(ZONES)
    }
    environment = [{"name": f"VARIABLE_{one}", "value": "x" * 24} for one in range(32)]
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": f"Thing{kind}",
        "metadata": {
            "name": f"thing-{number}",
            "namespace": f"team-{number % 40}",
            "uid": f"thing-{kind}-{number}",
            "creationTimestamp": "2026-02-03T04:05:06Z",
            "generation": number % 12 + 1,
            "labels": {"app": f"app-{number % 300}", "tier": ("web", "data")[number % 2]},
            "annotations": {"note": "An annotation of the length that tools write into objects, " * 4},
        },
        "spec": {
            "numbers": {f"n{one}": number * 31 + one for one in range(SCALARS)},
            "size": f"{number % 64 + 1}Gi",
            "template": {"command": ["serve", "--all"] * 6, "environment": environment},
        },
        "status": {"phase": STATES[number % 3], "conditions": conditions, "zones": zones, "ports": [80, 443, *range(3000, 3009)]},
    }


def _family(name: str, type_: str, key: str, **body: Any) -> Object:
    return {"name": name, "help": f"Value of {name}", "each": {"type": type_, key: body}}


def _gauge(name: str, *path: str, **more: Any) -> Object:
    return _family(name, "Gauge", "gauge", path=list(path), **more)


def metrics() -> list[Object]:
    """Return the 30 families of an entry."""
    reasons = {"type": ["type"], "message": ["message"]}
    zone, condition = {"labelFromKey": "zone"}, {"labelsFromPath": {"type": ["type"], "reason": ["reason"]}}
    return [
        *[_gauge(f"number_{one}", "spec", "numbers", f"n{one}") for one in range(SCALARS)],
        _gauge("size_bytes", "spec", "size"),
        _gauge("created", "metadata", "creationTimestamp"),
        _gauge("zone_replicas", "status", "zones", valueFrom=["replicas"], **zone),
        _gauge("zone_ready", "status", "zones", valueFrom=["ready"], **zone),
        _gauge("zone_cost", "status", "zones", valueFrom=["cost"], **zone),
        _gauge("condition", "status", "conditions", valueFrom=["status"], **condition),
        _gauge("condition_time", "status", "conditions", valueFrom=["lastTransitionTime"], **condition),
        _gauge("port", "status", "ports", labelsFromPath={"port": []}),
        _family("phase", "StateSet", "stateSet", path=["status", "phase"], labelName="phase", list=list(STATES)),
        _family("condition_info", "Info", "info", path=["status", "conditions"], labelsFromPath=reasons),
    ]


def configuration(kinds: int, families: int = 30) -> Object:
    """Return a configuration with an entry per kind, each with the last of the families."""
    labels = {"name": ["metadata", "name"], "namespace": ["metadata", "namespace"]}
    return {
        "kind": "CustomResourceStateMetrics",
        "spec": {
            "resources": [
                {
                    "groupVersionKind": {"group": GROUP, "version": "v1", "kind": f"Thing{kind}"},
                    "metricNamePrefix": f"thing{kind}",
                    "labelsFromPath": labels,
                    "metrics": metrics()[-families:],
                }
                for kind in range(kinds)
            ]
        },
    }


def with_expressions() -> Object:
    """Return the configuration of the same 30 families in the format with expressions."""
    zone, condition = [{"in": "status.zones", "as": "z", "key": "zone"}], [{"in": "status.conditions", "as": "c"}]
    reason, zones = {"type": "c.type", "reason": "c.reason"}, {"zone": "zone"}
    families: list[Object] = [
        *[{"name": f"number_{one}", "value": f"spec.numbers.n{one}"} for one in range(SCALARS)],
        {"name": "size_bytes", "value": "spec.size"},
        {"name": "created", "value": "metadata.creationTimestamp"},
        {"name": "zone_replicas", "forEach": zone, "value": "z.replicas", "labels": zones},
        {"name": "zone_ready", "forEach": zone, "value": "z.ready", "labels": zones},
        {"name": "zone_cost", "forEach": zone, "value": "z.cost", "labels": zones},
        {"name": "condition", "forEach": condition, "value": "c.status", "labels": reason},
        {"name": "condition_time", "forEach": condition, "value": "c.lastTransitionTime", "labels": reason},
        {"name": "port", "forEach": [{"in": "status.ports", "as": "p"}], "value": "p", "labels": {"port": "p"}},
        {"name": "phase", "type": "StateSet", "value": "status.phase", "states": list(STATES)},
        {"name": "condition_info", "type": "Info", "forEach": condition, "labels": {"type": "c.type", "message": "c.message"}},
    ]
    return {"metrics": [{"resource": {"group": GROUP, "kind": "Thing0"}, "prefix": "thing0", "metrics": families}]}


def make_state(kinds: int, objects: int, kilobytes: int = 0) -> State:
    """Return a state with some kinds, each with some objects, in which no family reads so many further kilobytes."""
    state = State()
    state.define(DEFINITIONS, "CustomResourceDefinition", "apiextensions.k8s.io/v1")

    def filled() -> Iterator[tuple[str, Object]]:
        for kind in range(kinds):
            yield DEFINITIONS, definition(kind)
            for number in range(objects):
                obj = thing(kind, number)
                obj["spec"]["template"]["files"] = [{"name": f"file-{one}", "mode": one, "text": "x" * 64} for one in range(10 * kilobytes)]
                yield f"things{kind}", obj

    for kind in range(kinds):
        state.define(f"things{kind}", f"Thing{kind}", f"{GROUP}/v1")
    state.fill(filled())
    return state


def main() -> None:
    """Serve until SIGTERM."""
    server = SimulatedServer(make_state(*map(int, sys.argv[1:4]))).start()
    server.levers.bookmark_interval = 60.0
    gc.freeze()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    print(server.url, flush=True)
    stop.wait()
    server.stop()


if __name__ == "__main__":
    main()
