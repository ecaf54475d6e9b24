"""Control files of a node whose containers use CPU at rates that a test sets, and a known amount of memory and swap."""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.control_plane import Object
from tests.cluster.recorded_node import make_node
from tests.cluster.repetition import repeated

RECORDED = "kubepods/besteffort/pod07b99587-e320-4dd9-a559-b458099818fd"
SANDBOX = "20198eeb819656203ffb95685115c4830f7880733a3045f08ac2c4cf020aa0e2"
CONTAINER = "cc48cdac9e9c3230aa3d77d40b574ed64ce108cf14f1c86b36aa108a63860e3d"
"""A recorded pod, which all pods are copies of, its sandbox and its container."""
PROCESS = 1223
"""A process of that container."""
MEBIBYTE = 1 << 20
INACTIVE = 10
"""Mebibytes of inactive page cache of each container, beside its working set."""
PERIOD = 0.05
"""Seconds between two writes of counters."""
START = 10**9
"""Microseconds of CPU that each container has used at first: so large that the number keeps its length."""


class UsageNode:
    """The files of a node, below `root`.

    Attributes:
        cores: CPU rate by name of pod and of container.
    """

    def __init__(self, folder: Path) -> None:
        self.root = make_node(folder, {})
        self.cores: dict[tuple[str, str], float] = {}
        self._containers: dict[tuple[str, str], Path] = {}
        self._used: dict[tuple[str, str], float] = {}
        self._pods = self.root / "cgroup" / RECORDED
        self._template = folder / "template"
        self._pods.rename(self._template)
        for path in (self.root / "cgroup").glob("kubepods*/*"):
            if path.is_dir() and path.name.startswith(("burstable", "kubepods-", "pod")):
                shutil.rmtree(path)
        self._pids = itertools.count(20_000)

    def add(self, pod: Object, cores: float, memory: int, swap: int = 0) -> None:
        """Add a pod of the API server.

        Args:
            cores: CPU rate of each of its containers.
            memory, swap: working set and swap of each of them, in mebibytes.
        """
        uid = pod["metadata"]["uid"]
        place = self._pods.with_name(f"pod{uid}")
        place.mkdir()
        for source in [path for path in self._template.iterdir() if path.is_file()]:
            shutil.copy2(source, place / source.name)
        self._copy(SANDBOX, place / f"{int(uid.replace('-', ''), 16):064x}")
        for status in pod["status"]["containerStatuses"]:
            key = (pod["metadata"]["name"], status["name"])
            self._containers[key] = self._copy(CONTAINER, place / status["containerID"].removeprefix("containerd://"))
            self.set_memory(*key, memory)
            _set(self._containers[key] / "memory.stat", r"(?<=\ninactive_file )\d+", INACTIVE * MEBIBYTE)
            _set(self._containers[key] / "memory.swap.current", r"\d+", swap * MEBIBYTE)
            _set(self._containers[key] / "cpu.stat", r"(?<=usage_usec )\d+", START)
            self.cores[key], self._used[key] = cores, START

    def set_memory(self, pod: str, container: str, working_set: float) -> None:
        """Set the working set of a container, in mebibytes."""
        _set(self._containers[pod, container] / "memory.current", r"\d+", int((working_set + INACTIVE) * MEBIBYTE))

    def _copy(self, name: str, place: Path) -> Path:
        """Copy a recorded cgroup, with one process in it."""
        shutil.copytree(self._template / name, place)
        pid = next(self._pids)
        (place / "cgroup.procs").write_text(f"{pid}\n")
        process = shutil.copytree(self.root / f"proc/{PROCESS}", self.root / f"proc/{pid}")
        (process / "cgroup").write_text(f"0::/{place.relative_to(self.root / 'cgroup')}\n")
        return place

    def write(self, seconds: float) -> None:
        """Let all containers use CPU for some seconds more."""
        for key, used in list(self._used.items()):
            self._used[key] = used + self.cores[key] * seconds * 1e6
            # Without truncation: the agent reads the file meanwhile.
            with (self._containers[key] / "cpu.stat").open("r+b") as file:
                file.write(b"usage_usec %d" % self._used[key])


def _set(path: Path, pattern: str, value: int) -> None:
    path.write_text(re.sub(pattern, str(value), path.read_text(), count=1))


@contextlib.contextmanager
def running(nodes: list[UsageNode]) -> Iterator[None]:
    """Let the containers of nodes use CPU."""
    last = time.monotonic()

    def run() -> None:
        nonlocal last
        before, last = last, time.monotonic()
        for node in nodes:
            node.write(last - before)

    with repeated(PERIOD, run):
        yield
