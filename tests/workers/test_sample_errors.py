"""Errors of the sampler in the agent's own metrics."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from workers._base import Assignment
from workers.sample import SampleWorker


class Counted:
    """Stands for a counter with a label, and for a gauge."""

    def __init__(self) -> None:
        self.values: Counter[str] = Counter()
        self._label = ""

    def labels(self, label: str) -> Counted:
        """Choose a series."""
        self._label = label
        return self

    def inc(self, count: int) -> None:
        """Count."""
        self.values[self._label] += count

    def set(self, value: float) -> None:
        """Ignore a gauge."""


class Quiet(SampleWorker):
    """A sampler without stores and heartbeats."""

    def __init__(self, errors: Counted) -> None:
        shared: Any = SimpleNamespace(config=None)
        super().__init__(Assignment("sample", "sample"), shared)
        self.telemetry: Any = SimpleNamespace(sample_errors=errors, unnamed=Counted(), sample_seconds=Counted())
        self._stores, self._exported, self._budgets = [], Counter(), None
        self._names: Any = SimpleNamespace(unknown=0)

    def beat(self) -> None:
        """Do without."""


class Failing:
    """Sampler each of whose passes has one error; others happen between the passes."""

    def __init__(self) -> None:
        self.errors: Counter[str] = Counter()

    def sample(self) -> None:
        """Take a pass."""
        self.errors["EACCES"] += 1


def test_errors_between_passes_are_counted_once() -> None:
    """Errors during a pass, before the first one and between two passes reach the counter, each once."""
    counted, sampler = Counted(), Failing()
    worker: Any = Quiet(counted)
    sampler.errors["ENOENT"] += 2
    worker._pass(sampler)
    assert counted.values == {"EACCES": 1, "ENOENT": 2}
    sampler.errors["EIO"] += 3
    worker._pass(sampler)
    worker._pass(sampler)
    assert counted.values == {"EACCES": 3, "ENOENT": 2, "EIO": 3}
