"""A node whose readings a test gives: the recorder and the report of usage without files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Optional

import orjson

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.collectors.cpu import CpuReading, Throttling, Times
from telegen.cadvisor.collectors.memory import MemoryReading
from telegen.cadvisor.collectors.start_time import StartReading
from telegen.cadvisor.identity.pods import PodIndex
from telegen.cadvisor.node import ContainerFacts, Node
from telegen.cadvisor.usage.document import UsageDocument
from telegen.cadvisor.usage.pods import UsagePods
from telegen.cadvisor.usage.recorder import Recorder
from telegen.cadvisor.usage.report import UsageReport
from telegen.shm.serving_deadlines import boottime

BOOT = 1_700_000_000.0
ZERO = 1000.0
"""Seconds since the boot of the time 0 of a test."""
Values = Mapping[str, Any]
"""A reading: `start` and `time` in seconds from ZERO, `cpu_seconds`, `memory`; optional are `swap`, `throttling`, `name`, if it is
not the id, and `has_ended`: nothing could be read in this pass."""


class Facts(ContainerFacts):
    """Facts of containers: the sandbox is called POD."""

    def is_sandbox(self, cgroup: Cgroup) -> bool:
        return cgroup.container_id == "POD"


def pod(name: str, *containers: str, phase: str = "Running", **changes: Any) -> dict[str, Any]:
    """A pod of the API whose containers run."""
    state = {"running": {"startedAt": ""}}
    statuses = [{"name": one, "restartCount": 0, "containerID": f"x://{one}", "state": state} for one in containers]
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": one} for one in containers], "restartPolicy": "Always"},
        "status": {"phase": phase, "containerStatuses": statuses, **changes},
    }


class Readings:
    """A node, and its usage after each round of readings."""

    def __init__(self, *pods: dict[str, Any], interval: float = 15.0) -> None:
        self.pods = UsagePods(PodIndex())
        self.pods.replace(("ADDED", one) for one in pods)
        self._node = Node(facts=Facts())
        self._node.__dict__["boot_time"] = BOOT
        self._recorder = Recorder(interval)
        self._report = UsageReport(self._recorder, self.pods, "n1")
        self._contexts: dict[str, Context] = {}
        self.document: Optional[UsageDocument] = None

    def round(self, containers: Mapping[tuple[str, str], Values], node: Optional[Values] = None) -> None:
        """Read each container, by pod and id, and the node once."""
        present = [
            self._read(Cgroup(f"/{pod}/{id}", "container", pod, id), values.get("name", id), values)
            for (pod, id), values in containers.items()
        ]
        if node:
            present.append(self._read(Cgroup("/", "root"), "", node))
        self.document = self._report.end_pass(present)

    def _read(self, cgroup: Cgroup, name: str, values: Values) -> Context:
        context = self._contexts.setdefault(cgroup.id, Context(cgroup, self._node))
        context.begin_pass((name, cgroup.id, "", "", "", ""))
        context.exists = not values.get("has_ended")
        context.read_at = ZERO + values["time"]
        cpu = None if values["cpu_seconds"] is None else [("total", float(values["cpu_seconds"]))]
        readings = {
            "cpu": CpuReading(Times(cpu), Throttling(*values.get("throttling", ()))),
            "memory": MemoryReading(working_set=values["memory"], swap=values.get("swap")),
        }
        if values.get("start") is not None:
            start = BOOT + ZERO + values["start"]
            readings["start"] = StartReading(1, start, start)  # type: ignore[assignment]
        for collector, reading in readings.items():
            self._recorder.take(collector, {"id": cgroup.id, "reading": reading, "context": context})
        return context

    def usage(self, name: str) -> Optional[dict[str, Any]]:
        """Usage of a pod in the last round: `time` from ZERO, `window`, and the values of each container; None for none."""
        if not self.document:
            return None
        objects = orjson.loads(self.document.objects)
        number = next((number for number, one in enumerate(objects) if one["name"] == name), None)
        row = None if number is None else orjson.loads(self.document.pods)[number]
        if row is None:
            return None
        return {**_times(row), "containers": dict(zip(objects[number]["containers"], row[2]))}

    def node_usage(self) -> Optional[dict[str, Any]]:
        """Usage of the node in the last round, as that of a pod."""
        row = orjson.loads(self.document.node_usage) if self.document else None
        return row and {**_times(row), "values": row[2]}


def _times(row: list[Any]) -> dict[str, float]:
    return {"time": row[0] - (time.time() - boottime()) - ZERO, "window": row[1]}
