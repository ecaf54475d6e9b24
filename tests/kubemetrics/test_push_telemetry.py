"""Counters of pushed points and of Kubernetes events."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import Counter

from telegen.kubemetrics import event_telemetry, push_telemetry, termination_telemetry
from telegen.kubemetrics.event_telemetry import EventTelemetry
from telegen.kubemetrics.push_telemetry import PushTelemetry
from telegen.kubemetrics.termination_telemetry import TerminationTelemetry

ROOT = Path(__file__).parents[2]
DOCUMENT, ALERTS = (ROOT / path for path in ("docs/push.md", "k8s/components/prometheus/alerts.yaml"))


@pytest.mark.parametrize(
    ("name", "make", "outcomes"),
    [
        ("telegen_push_points_total", lambda: PushTelemetry().points, push_telemetry.OUTCOMES),
        ("telegen_events_handled_total", lambda: EventTelemetry(10).handled, event_telemetry.OUTCOMES),
        ("telegen_terminations_handled_total", lambda: TerminationTelemetry().handled, termination_telemetry.OUTCOMES),
    ],
)
def test_outcomes_begin_at_zero(name: str, make: Callable[[], Counter], outcomes: tuple[str, ...]) -> None:
    """Every outcome has a series from the start, so that the alerts see the first loss; document and alerts name no other outcome."""
    found = {sample.labels["outcome"]: sample.value for family in make().collect() for sample in family.samples if sample.name == name}
    assert found == dict.fromkeys(outcomes, 0.0)
    (row,) = re.findall(rf"^\| `{name}{{outcome}}` \|(.*)$", DOCUMENT.read_text(), re.MULTILINE)
    assert re.findall(r"`(\w+)`", row) == list(outcomes)
    (alerted,) = re.findall(rf'{name}{{outcome=~"(.*?)"}}', ALERTS.read_text())
    assert set(alerted.split("|")) < set(outcomes)


def test_series_of_events_are_limited() -> None:
    """Beyond the limit events of new labels are counted together, and always those of very long ones; those of known labels go on."""
    telemetry = EventTelemetry(2)
    for reason in ("x" * 300, "BackOff", "Killing", "Pulled", "BackOff", "Created"):
        telemetry.count("shop", "Warning", reason, "Pod")
    found = {
        sample.labels["reason"]: (sample.labels["namespace"], sample.value)
        for family in telemetry.kubernetes.collect()
        for sample in family.samples
        if sample.name == "telegen_kubernetes_events_total"
    }
    assert found == {"BackOff": ("shop", 2.0), "Killing": ("shop", 1.0), "other": ("other", 3.0)}
