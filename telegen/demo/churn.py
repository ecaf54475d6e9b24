"""A cluster that keeps changing: pods come, become ready, fall over and go."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from telegen.demo.levers import Levers
from telegen.demo.objects import SyntheticCluster, timestamp
from telegen.demo.state import State

TICK = 0.05
"""Seconds between two batches of changes."""
BORN = 1_000_000
"""Seconds after the cluster's birth at which the changes begin."""


class Churn:
    """Changes a state at the rate that the levers say, in a thread."""

    def __init__(self, cluster: SyntheticCluster, state: State, levers: Levers, seed: int = 1) -> None:
        self._cluster, self._state, self._levers = cluster, state, levers
        self._random = random.Random(seed)
        self._pods = [stored.key for stored in state.collections["pods"].objects.values()]
        self._next = cluster.pods
        self._clock = BORN
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Churn:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, and wait for it."""
        self._stop.set()
        self._thread.join()

    def step(self) -> None:
        """One change: most often a container starts again or a pod's readiness flips; sometimes a pod is replaced."""
        self._clock += 1
        if self._random.random() < 0.05:
            self._replace()
        else:
            self.touch(self._random.choice(self._pods))

    def touch(self, key: tuple[str, str]) -> None:
        """The update that benchmarks send: a container has ended and runs again."""
        stored = self._state.collections["pods"].objects.get(key)
        if stored is None:
            return
        pod = stored.load()
        restart(pod, self._clock)
        self._state.put("pods", pod)

    def _replace(self) -> None:
        at = self._random.randrange(len(self._pods))
        namespace, name = self._pods[at]
        self._state.delete("pods", namespace, name)
        pod = self._cluster.pod(self._next)
        self._next += 1
        self._state.put("pods", pod)
        self._pods[at] = (pod["metadata"]["namespace"], pod["metadata"]["name"])

    def _run(self) -> None:
        due, last = 0.0, time.monotonic()
        while not self._stop.wait(TICK):
            now = time.monotonic()
            due = min(due + (now - last) * self._levers.rate, 1000.0)
            last = now
            while due >= 1 and not self._stop.is_set():
                self.step()
                due -= 1


def restart(pod: dict[str, Any], clock: int) -> None:
    """A container of a pod ends and starts again: nine families change their text."""
    status = pod["status"]["containerStatuses"][0]
    count = status["restartCount"] + 1
    ended = {"exitCode": 1 + count % 3, "reason": "Error" if count % 2 else "OOMKilled", "finishedAt": timestamp(clock)}
    status["lastState"] = {"terminated": {**ended, "startedAt": timestamp(clock - 60)}}
    status["restartCount"] = count
    status["ready"] = not status["ready"]
    status["state"] = {"running": {"startedAt": timestamp(clock)}}
    for condition in pod["status"]["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition["status"] = "True" if status["ready"] else "False"
            condition["lastTransitionTime"] = timestamp(clock)
