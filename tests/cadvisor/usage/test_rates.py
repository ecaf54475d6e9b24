"""Rates from consecutive readings: recorded cases of metrics-server, with the right answers where it is wrong, and our own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Optional

import pytest

from tests.cadvisor.usage.readings import Readings, pod

CASES = json.loads(Path(__file__).with_name("rates.json").read_text())
ROUNDS = 5
UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def quantity(text: str) -> float:
    """The number of a quantity."""
    found = re.fullmatch(r"(\d+)([a-zA-Z]*)", text)
    assert found, text
    return int(found[1]) * UNITS[found[2]]


def accepted(case: dict[str, Any], number: int) -> list[Optional[dict[str, Any]]]:
    """The entries that will do after a round."""
    right = case.get("right", {})
    entry = right[str(number)] if str(number) in right else case["peer"][str(number)]
    return entry if isinstance(entry, list) else [entry]


def fits(usage: Optional[dict[str, Any]], entry: Optional[dict[str, Any]]) -> bool:
    """True if usage is that of an entry; metrics-server cuts after whole nanocores."""
    if usage is None or entry is None:
        return usage is entry
    shown = usage["containers"] if "containers" in entry else {"": usage["values"]}
    expected = entry["containers"] if "containers" in entry else {"": entry["usage"]}
    return (
        usage["time"] == pytest.approx(entry["timestamp"], abs=0.05)
        and usage["window"] == pytest.approx(float(entry["window"].removesuffix("s")), abs=0.001)
        and shown.keys() == expected.keys()
        and all(
            values[0] == pytest.approx(quantity(expected[name]["cpu"]), abs=1.1e-9) and values[1] == quantity(expected[name]["memory"])
            for name, values in shown.items()
        )
    )


def number(values: Optional[dict[str, Any]]) -> Optional[dict[str, Any]]:
    """A recorded reading; JSON has NaN and infinities as words."""
    return values and {key: float(one) if isinstance(one, str) else one for key, one in values.items()}


@pytest.mark.parametrize("case", CASES["pods"], ids=lambda case: case["name"])
def test_recorded_pods(case: dict[str, Any]) -> None:
    """After each round a pod has the recorded entry, or the right one."""
    name, containers = case["name"], case["points"]
    readings = Readings(*([] if case.get("object") == "there is none" else [pod(name)]))
    for at in range(ROUNDS):
        points = {(name, container): number(values[at]) for container, values in containers.items()}
        readings.round({key: values for key, values in points.items() if values})
        usage = readings.usage(name)
        assert any(fits(usage, entry) for entry in accepted(case, at + 1)), (at + 1, usage, accepted(case, at + 1))


@pytest.mark.parametrize("case", CASES["nodes"], ids=lambda case: case["name"])
def test_recorded_nodes(case: dict[str, Any]) -> None:
    """After each round a node has the recorded entry."""
    readings = Readings()
    for at in range(ROUNDS):
        readings.round({}, case["points"][at])
        usage = readings.node_usage()
        assert any(fits(usage, entry) for entry in accepted(case, at + 1)), (at + 1, usage)


def reading(time: float, cpu: float, memory: float = 1 << 20, **others: Any) -> dict[str, Any]:
    """A reading of a container that started long ago."""
    return {"start": -500, "time": time, "cpu_seconds": cpu, "memory": memory, **others}


def test_passes_after_a_pause() -> None:
    """A pass right after another one, as after a pause of the process, is no window: the usage before it stays. Two seconds are one."""
    readings = Readings(pod("p", "app"))
    found = []
    for time, cpu in ((0, 0), (15, 3), (60, 12), (60.01, 12), (75, 15), (77, 15.5)):
        readings.round({("p", "app"): reading(time, cpu)})
        usage = readings.usage("p")
        found.append(usage and (round(usage["time"], 1), usage["window"], usage["containers"]["app"][0]))
    assert found == [None, (15, 15, 0.2), (60, 45, 0.2), (60, 45, 0.2), (75, 15, 0.2), (77, 2, 0.25)]


@pytest.mark.parametrize(
    ("start", "points", "expected"),
    [
        # Seen at the age of 1 s, then of 14 s.
        (29, [(15, 9.5), (30, 0.5), (43, 0.7)], (43, 14, 0.05)),
        # Seen at the age of half a second, then of 9 s, which is too young: the time between both readings counts.
        (36, [(30, 9.0), (36.5, 0.25), (45, 0.675)], (45, 8.5, 0.05)),
    ],
)
def test_young_container(start: float, points: list[tuple[float, float]], expected: tuple[float, float, float]) -> None:
    """The age of a container is its window as soon as it is long enough, whatever was read of it before."""
    readings = Readings(pod("p", "app"))
    for time, cpu in points:
        began = start if time > start else -500
        readings.round({("p", "app"): {**reading(time, cpu), "start": began}})
    usage = readings.usage("p")
    assert usage and (round(usage["time"], 1), usage["window"], usage["containers"]["app"][0]) == expected


def test_columns() -> None:
    """Swap is a size, throttling the throttled part of the periods of the window; without a quota it is unknown."""
    readings = Readings(pod("p", "app", "free"))
    for at, throttling in enumerate([(100, 10, 1.0), (200, 35, 2.0)]):
        readings.round(
            {("p", "app"): reading(15 * at, 3 * at, swap=4096, throttling=throttling), ("p", "free"): reading(15 * at, 0)}
        )
    usage = readings.usage("p")
    assert usage
    assert usage["containers"] == {
        "app": [0.2, 1 << 20, 4096, 0.25, None, None, None, None, None, 0],
        "free": [0, 1 << 20, None, None, None, None, None, None, None, 0],
    }


@pytest.mark.parametrize(
    ("status", "is_shown"),
    [
        ({"state": {"running": {"startedAt": ""}}}, False),
        ({"state": {"waiting": {}}, "lastState": {"terminated": {"exitCode": 1}}}, False),
        ({"state": {"terminated": {"exitCode": 0}}}, False),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, True),
        ({}, True),
    ],
    ids=["running", "in backoff", "ended", "not started yet", "unknown"],
)
def test_container_without_a_cgroup(status: dict[str, Any], is_shown: bool) -> None:
    """A pod is left out while a container of its has no cgroup and runs by its status, or is to be restarted."""
    one = pod("p", "app", "side")
    one["status"]["containerStatuses"][1] = {"name": "side", **status}
    readings = Readings(one)
    for at in range(2):
        readings.round({("p", "app"): reading(15 * at, at)})
    assert (readings.usage("p") is not None) == is_shown


def test_containers_that_have_done_their_work() -> None:
    """Ended init containers and those that are not restarted take no part; running ones do, in the order of the status."""
    one = pod("p", "app", "job", initContainerStatuses=[
        {"name": "first", "state": {"terminated": {"exitCode": 0}}}, {"name": "mesh", "restartCount": 3, "state": {"running": {}}}
    ])  # fmt: skip
    one["spec"]["restartPolicy"] = "OnFailure"
    one["status"]["containerStatuses"][1]["state"] = {"terminated": {"exitCode": 0}}
    readings = Readings(one)
    for at in range(2):
        readings.round({("p", name): reading(15 * at, at) for name in ("mesh", "app", "POD")})
    usage = readings.usage("p")
    assert usage and list(usage["containers"]) == ["app", "mesh"] and usage["containers"]["mesh"][-1] == 3


def test_pod_that_is_not_running() -> None:
    """A pod of another phase than Running has no usage."""
    readings = Readings(pod("p", "app", phase="Pending"))
    for at in range(2):
        readings.round({("p", "app"): reading(15 * at, at)})
    assert readings.usage("p") is None


def test_malformed_pod() -> None:
    """Values of a wrong type in a pod are read as empty, and do no harm to its neighbour."""
    odd = pod("odd", "app")
    odd["metadata"]["labels"] = {"a": 5, "b": None}
    odd["status"]["containerStatuses"] = [{"name": 7, "state": "up"}, "x", {"name": "app", "restartCount": "many", "state": {"running": 1}}]
    readings = Readings(odd, pod("p", "app"))
    for at in range(2):
        readings.round({(name, "app"): reading(15 * at, 3 * at) for name in ("odd", "p")})
    assert readings.document and b'"labels":{"a":"","b":""}' in readings.document.objects
    usages = [readings.usage(name) for name in ("odd", "p")]
    assert [usage and list(usage["containers"]) for usage in usages] == [["app"], ["app"]]
    assert [usage and usage["containers"]["app"][-1] for usage in usages] == [0, 0]


def test_run_that_replaces_another() -> None:
    """While the cgroup of the former run of a container is still there, the newer one counts: there is no usage before its second point."""
    readings = Readings(pod("p", "app"))
    shown = []
    for at in range(4):
        runs = {("p", "app"): reading(15 * at, 3 * at)}
        if at >= 2:
            runs["p", "app again"] = {**reading(15 * at, at), "name": "app", "start": 28}
        readings.round(runs)
        usage = readings.usage("p")
        shown.append(usage and usage["containers"]["app"][0])
    assert shown == [None, 0.2, None, pytest.approx(1 / 15)]


def test_container_that_ends_during_a_pass() -> None:
    """Readings that linger are no rate of 0: the pod is left out."""
    readings = Readings(pod("p", "app"))
    for at in range(3):
        readings.round({("p", "app"): reading(15 * at, 3 * min(at, 1), has_ended=at == 2)})
        assert (readings.usage("p") is not None) == (at == 1)


def test_generation() -> None:
    """The generation changes with labels and containers, not with usage, and is the same in a new process."""
    first, second = Readings(pod("p", "app")), Readings(pod("p", "app"))
    generations = []
    for at in range(3):
        first.round({("p", "app"): reading(15 * at, 3 * at)})
        second.round({("p", "app"): reading(15 * at, at)})
        generations += [one.document.generation for one in (first, second) if one.document]
    assert len(set(generations)) == 1
    changed = pod("p", "app")
    changed["metadata"]["labels"]["app"] = "other"
    first.pods.upsert(changed)
    first.round({("p", "app"): reading(45, 9)})
    assert first.document and first.document.generation not in generations
    assert b'"labels":{"app":"other"}' in first.document.objects
