"""Ends of containers: what the status of pods reports, the last readings of cgroups, and their counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import orjson
import pytest

from telegen.api.decoding import event_decoder
from telegen.cadvisor.identity.labels import PathLabels
from telegen.cadvisor.identity.pods import READS, PodIndex
from telegen.cadvisor.node import Node, Roots
from telegen.cadvisor.registry import enabled_collectors
from telegen.cadvisor.sampler import Sampler
from telegen.cadvisor.terminations.counts import KEEP_SECONDS, TerminationCounts
from telegen.cadvisor.terminations.join import TerminationJoin
from telegen.cadvisor.terminations.last_readings import KEEP_SECONDS as READING_SECONDS
from telegen.cadvisor.terminations.last_readings import MOST_ENDED, LastReading, LastReadings
from telegen.cadvisor.terminations.statuses import READS as RUNS
from telegen.cadvisor.terminations.statuses import EndedRun, read_pod_runs
from telegen.cadvisor.terminations.tracker import PodDeleted, PodStarted, Report, Termination, TerminationTracker
from telegen.config.model import Cadvisor, Terminations
from telegen.metrics.family import Object
from tests.cadvisor.page import v2_tree, write
from tests.cadvisor.test_collectors import ID, POD
from tests.cadvisor.test_pods import UID, exists, pod_object
from tests.kubestate.schema_objects import Variation, random_object


def ended(id: str, reason: str = "Error", code: int = 1) -> dict[str, Any]:
    """Make the state of a container that has ended."""
    times = {"startedAt": "2026-11-28T10:00:00Z", "finishedAt": "2026-11-28T10:06:32Z"}
    return {"terminated": {"containerID": f"containerd://{id}" if id else "", "reason": reason, "exitCode": code, **times}}


def container(id: str, restarts: int = 0, state: Any = None, last: Any = None, name: str = "web") -> dict[str, Any]:
    """Make the status of a container; it runs unless `state` says otherwise."""
    found = {"name": name, "restartCount": restarts, "state": state or {"running": {}}, "lastState": last or {}}
    return {**found, "containerID": f"containerd://{id}" if id else ""}


def pod(*containers: dict[str, Any], name: str = "web-1", uid: str = UID, key: str = "containerStatuses") -> dict[str, Any]:
    """Make a pod with these statuses."""
    return pod_object(name, uid, status={key: list(containers)})


class Reports(list[Report]):
    """Reports of a tracker that has a base line."""

    def __init__(self, *base: dict[str, Any]) -> None:
        self.tracker = TerminationTracker(PodIndex(), self.append)
        self.tracker.replace([("ADDED", obj) for obj in base])

    def ends(self) -> list[tuple[str, str, int, int]]:
        """Return (container, reason, number of the run, missed) of each end."""
        return [(one.container, one.run.reason, one.run.number, one.missed) for one in self if isinstance(one, Termination)]


def test_end_is_reported_once() -> None:
    """An end is reported when the status first shows it, not again when it becomes the last state, by an update or by a new list."""
    reports = Reports(pod(container("c1")))
    steps = [
        pod(container("c1", state=ended("c1", "OOMKilled", 137))),
        pod(container("c1", state={"waiting": {"reason": "CrashLoopBackOff"}}, last=ended("c1", "OOMKilled", 137))),
        pod(container("c2", 1, last=ended("c1", "OOMKilled", 137))),
        pod(container("c2", 1, state=ended("c2"), last=ended("c1", "OOMKilled", 137))),
    ]
    for step in steps:
        reports.tracker.upsert(step)
        reports.tracker.upsert(step)
    reports.tracker.replace([("ADDED", steps[-1])])
    reports.tracker.replace([("ADDED", steps[1])])
    assert reports.ends() == [("web", "OOMKilled", 0, 0), ("web", "Error", 1, 0)]


def test_first_state_is_the_base_line() -> None:
    """A new process reports no end that its first list has, so nothing that the process before it may have reported."""
    reports = Reports(pod(container("c4", 3, last=ended("c3"))), pod(container("d1", state=ended("d1")), name="job", uid="u2"))
    assert reports.ends() == []
    reports.tracker.upsert(pod(container("c4", 3, state=ended("c4"), last=ended("c3"))))
    assert reports.ends() == [("web", "Error", 3, 0)]


def test_restarts_between_two_looks() -> None:
    """The status has the last end only; those before it are counted as missed."""
    reports = Reports(pod(container("c1")))
    reports.tracker.upsert(pod(container("c6", 5, last=ended("c5"))))
    assert reports.ends() == [("web", "Error", 4, 4)]
    reports.tracker.upsert(pod(container("c9", 8, state=ended("c9", "Completed", 0), last=ended("c8"))))
    assert reports.ends()[1:] == [("web", "Error", 7, 2), ("web", "Completed", 8, 0)]


def test_pod_that_is_new() -> None:
    """All ends of a pod that was bound after the first list are new, also if its first status comes by a new list."""
    reports = Reports()
    reports.tracker.replace([("ADDED", pod(container("c3", 2, last=ended("c2"))))])
    assert reports.ends() == [("web", "Error", 1, 1)]


def test_ends_without_ids() -> None:
    """A container that could not be made has no id: its runs are told apart by their numbers."""
    reports = Reports(pod())
    for number in (0, 0, 1):
        reports.tracker.upsert(pod(container("", number, state=ended("", "StartError", 128))))
    assert reports.ends() == [("web", "StartError", 0, 0), ("web", "StartError", 1, 0)]


def test_count_of_restarts_that_begins_anew() -> None:
    """A kubelet that has lost its dead containers counts from 0 again: ends are still reported, and none is missed."""
    reports = Reports(pod(container("c9", 8)))
    reports.tracker.upsert(pod(container("c9", 8, state=ended("c9"))))
    reports.tracker.upsert(pod(container("x1", 0, state=ended("x1"))))
    assert reports.ends() == [("web", "Error", 8, 0), ("web", "Error", 0, 0)]


@pytest.mark.parametrize(
    ("key", "policy", "role"),
    [
        ("containerStatuses", "", "app"),
        ("initContainerStatuses", "", "init"),
        ("initContainerStatuses", "Always", "sidecar"),
        ("ephemeralContainerStatuses", "", "ephemeral"),
    ],
)
def test_roles(key: str, policy: str, role: str) -> None:
    """Init containers, sidecars and ephemeral containers are told apart."""
    obj = pod(container("c1", state=ended("c1")), key=key)
    obj["spec"]["initContainers"] = [{"name": "web", "restartPolicy": policy}]
    assert read_pod_runs(obj).containers["web"].role == role


def test_pod_deleted_at_once() -> None:
    """Containers that run by the last status of a deleted pod are reported without details; those that have ended are not again."""
    reports = Reports(pod(container("c1"), container("d1", name="side", state=ended("d1"))))
    reports.tracker.delete(pod(container("c1"), container("d1", name="side", state=ended("d1"))))
    reports.tracker.delete(pod(container("c1")))
    (end,) = [one for one in reports if isinstance(one, Termination)]
    assert (end.container, end.run, end.is_reported) == ("web", EndedRun("c1", 0), False)
    assert reports[-1] == PodDeleted(UID, "shop", "web-1")


def test_pod_that_a_new_list_lacks() -> None:
    """A pod that was deleted while the watch was away is reported as deleted; a list that breaks changes nothing."""
    reports = Reports(pod(container("c1")))

    def broken() -> Iterator[tuple[str, Object]]:
        yield "ADDED", pod(container("x1"), name="other", uid="u2")
        raise OSError("gone")

    with pytest.raises(OSError):
        reports.tracker.replace(broken())
    assert len(reports) == 1 and len(reports.tracker) == 1
    reports.tracker.replace([])
    assert [type(one).__name__ for one in reports] == ["PodStarted", "Termination", "PodDeleted"]


@pytest.mark.parametrize("status", [None, [], {"containerStatuses": [None, 5, {"name": 7}]}, {"containerStatuses": [{"state": "x"}]}])
def test_malformed_statuses(status: Any) -> None:
    """Statuses of other types than the API has are read as empty."""
    assert read_pod_runs({**pod(), "status": status}).containers == {}


def test_decoded_fields_suffice() -> None:
    """Random pods give the same runs complete and decoded by the paths; every path exists in some pod."""
    decode, found = event_decoder((*READS, *RUNS)), set()
    for seed in range(100):
        obj = random_object("pods", "v1", "Pod", Variation(seed, 0.95, seed % 3 / 2, 1 + seed % 4))
        obj["metadata"] = {**obj["metadata"], "uid": f"uid-{seed}"}
        assert read_pod_runs(decode(orjson.dumps({"type": "ADDED", "object": obj}))[1]) == read_pod_runs(obj)
        found |= {path for path in RUNS if exists(obj, path.split("."))}
    assert found == set(RUNS)


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Shown(dict[str, list[tuple[str, str, int]]]):
    """Target that keeps the rows of each object."""

    def upsert(self, obj: Object) -> None:
        self[obj["id"]] = obj["rows"]

    def delete(self, obj: Object) -> None:
        del self[obj["id"]]


def end_of(reason: str, missed: int = 0, name: str = "web-1", uid: str = UID) -> Termination:
    """Make an end."""
    return Termination(uid, "shop", name, "web", "app", EndedRun("c1", 0, reason), missed)


def test_counts_begin_at_zero() -> None:
    """The usual reasons are there before the first end, so that increase() sees it; missed ends have no reason."""
    shown = Shown()
    counts = TerminationCounts(shown, 100)
    counts.begin(PodStarted(UID, "shop", "web-1", ("web",)))
    assert shown == {"shop/web-1": [("web", "Completed", 0), ("web", "Error", 0), ("web", "OOMKilled", 0)]}
    counts.count(end_of("OOMKilled", missed=2))
    counts.count(end_of("", missed=0))
    assert shown["shop/web-1"] == [("web", "Completed", 0), ("web", "Error", 0), ("web", "OOMKilled", 1), ("web", "Unknown", 3)]


def test_counts_of_a_deleted_pod() -> None:
    """The series of a deleted pod stay for a minute; a pod of the same name goes on with them, as in a StatefulSet."""
    shown, clock = Shown(), Clock()
    counts = TerminationCounts(shown, 100, clock)
    counts.begin(PodStarted(UID, "shop", "web-1", ("web",)))
    counts.count(end_of("Error"))
    counts.end(PodDeleted(UID, "shop", "web-1"))
    clock.now += KEEP_SECONDS - 1
    counts.expire()
    counts.begin(PodStarted("new", "shop", "web-1", ("web",)))
    counts.end(PodDeleted(UID, "shop", "web-1"))
    clock.now += 2
    counts.expire()
    assert ("web", "Error", 1) in shown["shop/web-1"]
    counts.end(PodDeleted("new", "shop", "web-1"))
    clock.now += KEEP_SECONDS
    counts.expire()
    counts.count(end_of("Error"))
    assert shown == {}


def test_counts_are_limited() -> None:
    """Ends beyond the limit of series are counted together; a pod that goes makes room."""
    shown, clock = Shown(), Clock()
    counts = TerminationCounts(shown, 4, clock)
    for uid, name in ((UID, "web-1"), ("u2", "web-2")):
        counts.begin(PodStarted(uid, "shop", name, ("web",)))
    assert {id: len(rows) for id, rows in shown.items()} == {"shop/web-1": 3, "shop/web-2": 1}
    counts.count(end_of("Error", name="web-2", uid="u2"))
    counts.count(end_of("Odd", missed=2))
    assert shown[""] == [("other", "other", 4)]
    counts.end(PodDeleted(UID, "shop", "web-1"))
    clock.now += KEEP_SECONDS
    counts.expire()
    counts.count(end_of("Error", name="web-2", uid="u2"))
    assert ("web", "Error", 1) in shown["shop/web-2"]


LIMITED = {
    "memory_current": "300\n",
    "memory_stat": "inactive_file 100\n",
    "memory_peak": "400\n",
    "memory_max": "500\n",
    "memory_events": "oom_kill 2\n",
    "cpu_max": "50000 100000\n",
    "cpu_stat": "usage_usec 1\nnr_periods 40\nnr_throttled 10\n",
}


class Joined:
    """A sampler of one node with the ends of its containers."""

    def __init__(self, root: Path, settings: Cadvisor = Cadvisor()) -> None:
        self.sent: list[tuple[Termination, Optional[LastReading], Mapping[str, str]]] = []
        self.shown = Shown()
        self.pods = PodIndex(labels=lambda key: key == "app")
        self.join = TerminationJoin(Terminations(), settings, self.pods, self.shown, lambda *sent: self.sent.append(sent))
        nowhere = Shown()
        nowhere.upsert = nowhere.delete = lambda obj: None  # type: ignore[method-assign]
        self.sampler = Sampler(
            Node(Roots(str(root))),
            enabled_collectors(settings),
            PathLabels(),
            lambda collector: self.join.recorded(collector, nowhere),
        )

    def sample(self) -> None:
        """Run a pass."""
        self.sampler.sample()
        self.join.work()
        self.join.end_pass()


def test_join_after_the_cgroup_is_gone(tmp_path: Path) -> None:
    """An end that the API reports after the cgroup was removed has the last readings of the cgroup, and the labels of the pod."""
    folder = v2_tree(tmp_path) / POD
    write(folder, **LIMITED)
    joined, obj = Joined(tmp_path), pod(container(ID))
    obj["metadata"]["labels"] = {"app": "web", "other": "x"}
    joined.join.tracker.replace([("ADDED", obj)])
    joined.sample()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    joined.sample()
    obj["status"] = pod(container(ID, state=ended(ID, "OOMKilled", 137)))["status"]
    joined.join.tracker.upsert(obj)
    joined.sample()
    ((end, last, labels),) = joined.sent
    assert last and last.values == {"working_set": 200, "peak": 400, "limit": 500, "oom_kills": 2, "periods": 40, "throttled": 10}
    assert (last.throttled_ratio, labels, end.run.exit_code) == (0.25, {"app": "web"}, 137)
    assert ("web", "OOMKilled", 1) in joined.shown["shop/web-1"]
    joined.sampler.close()


def test_deleted_pod_ends_with_its_cgroup(tmp_path: Path) -> None:
    """A container of a pod that was deleted at once is reported when its cgroup is gone."""
    folder = v2_tree(tmp_path) / POD
    write(folder, **LIMITED)
    joined = Joined(tmp_path)
    joined.join.tracker.replace([("ADDED", pod(container(ID)))])
    joined.sample()
    joined.join.tracker.delete(pod(container(ID)))
    joined.sample()
    assert joined.sent == []
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    joined.sample()
    ((end, last, _),) = joined.sent
    assert not end.is_reported and last and last.values["peak"] == 400
    assert ("web", "Unknown", 1) in joined.shown["shop/web-1"]
    joined.sampler.close()


def test_labels_of_a_pod_that_is_deleted(tmp_path: Path) -> None:
    """An end has the labels of its pod also if the pod is deleted before the sampler takes the report, or at once."""
    v2_tree(tmp_path)
    joined, obj = Joined(tmp_path), pod(container("c1"), container("d1", name="side"))
    obj["metadata"]["labels"] = {"app": "web"}
    joined.join.tracker.replace([("ADDED", obj)])
    obj["status"] = pod(container("c1", state=ended("c1")), container("d1", name="side"))["status"]
    joined.join.tracker.upsert(obj)
    joined.join.tracker.delete(obj)
    joined.sample()
    assert [(end.container, labels) for end, _, labels in joined.sent] == [("web", {"app": "web"}), ("side", {"app": "web"})]
    joined.sampler.close()


def test_namespaces_of_the_sampler_apply(tmp_path: Path) -> None:
    """A namespace whose containers are not served has no counts and no logs."""
    v2_tree(tmp_path)
    joined = Joined(tmp_path, Cadvisor(namespaces_exclude=("shop",)))
    joined.join.tracker.replace([])
    joined.join.tracker.upsert(pod(container("c1", state=ended("c1"))))
    joined.sample()
    assert joined.sent == [] and joined.shown == {}
    joined.sampler.close()


def test_readings_are_forgotten() -> None:
    """Readings of ended containers are kept for five minutes, and at most so many of them; those of running ones stay."""
    clock = Clock()
    readings = LastReadings(clock)
    for number in range(MOST_ENDED + 2):
        readings.note(f"/{number}", str(number), {"peak": number})
        clock.now += 0.001
        readings.end(f"/{number}")
    readings.note("/runs", "runs", {"peak": 1})
    readings.expire()
    assert readings.find("1") is None and readings.find("2") and readings.has_ended("2")
    clock.now += READING_SECONDS
    readings.expire()
    assert readings.find("2") is None and readings.find("runs") and not readings.has_ended("runs")
