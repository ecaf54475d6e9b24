"""Cost of rendering by resource: microseconds per object and per sample, with their limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from telegen.demo.objects import SyntheticCluster
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.metrics.family import Object
from telegen.metrics.render import Render, renderer

CASES = Path(__file__).parents[1] / "kubestate" / "cases"
OBJECTS = 1000
"""Objects per run, all with different names."""
RUNS = 5
"""Runs; the fastest counts, because other processes disturb the slower ones."""

POD_BAR = 120.0
"""Limit in microseconds for the synthetic pod with some 65 samples."""
SAMPLE_BAR, OBJECT_BAR = 1.5, 10.0
"""Limits in microseconds per sample and per object for every other resource."""


def measure_rendering() -> Iterator[tuple[str, float, float, float]]:
    """Yield (resource, samples, microseconds, limit) per object of every resource."""
    for name, resource in RESOURCES.items():
        samples, cost = _measure(resource, _objects(name))
        yield name, samples, cost, POD_BAR if name == "pods" else OBJECT_BAR + SAMPLE_BAR * samples


def rendering_table() -> Iterator[str]:
    """Format the table."""
    yield f"{'rendering':34} {'samples':>8} {'us/object':>10} {'us/sample':>10} {'bar':>8}"
    for name, samples, cost, bar in measure_rendering():
        verdict = "kept" if cost <= bar else "MISSED"
        yield f"{name:34} {samples:8.1f} {cost:10.1f} {cost / max(1.0, samples):10.2f} {bar:8.1f} {verdict}"


def _objects(resource: str) -> Callable[[int], Object]:
    """Creates objects by number: pods of the synthetic cluster; for other resources the objects of the parity cases in turn."""
    if resource == "pods":
        return SyntheticCluster(OBJECTS, 100).pod
    cases = orjson.loads((CASES / resource / "objects.json").read_bytes())
    samples = [orjson.dumps(sample) for sample in (cases.get("items", cases) if isinstance(cases, dict) else cases)]

    def make(number: int) -> Object:
        obj: Object = orjson.loads(samples[number % len(samples)])
        obj["metadata"] |= {"name": f"{obj['metadata']['name']}-{number}", "uid": f"uid-{number}"}
        return obj

    return make


def _measure(resource: Resource, make: Callable[[int], Object]) -> tuple[float, float]:
    """Measure samples and microseconds per object; each renderer renders each object once."""
    families = selected_families(resource, Selection())
    objects = [make(number) for number in range(OBJECTS)]
    best = float("inf")
    for _ in range(RUNS):
        render = renderer(resource.identity, families, _raise)
        started = time.process_time()
        _render_all(render, objects)
        best = min(best, time.process_time() - started)
    samples = sum(text.count("\n") for obj in objects for text in render(obj))
    return samples / OBJECTS, 1e6 * best / OBJECTS


def _render_all(render: Render, objects: list[Object]) -> None:
    for obj in objects:
        render(obj)


def _raise(family: str, error: Exception) -> None:
    raise error
