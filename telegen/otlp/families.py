"""Metrics: a family of the page as the head of an OTLP Metric, named as on the page."""

from __future__ import annotations

from dataclasses import dataclass

from telegen.otlp.attributes import key_value
from telegen.otlp.units import unit_of
from telegen.otlp.wire import head, number, text
from telegen.shm.layout import FamilyEntry

GAUGE, SUM = 5, 7
"""Fields of Metric for its data."""
METADATA = 12
"""Field of Metric for what is known about it."""
CUMULATIVE = 2


@dataclass(frozen=True)
class MetricHead:
    """A metric without its points.

    Attributes:
        name: as sent.
        head: name, description, unit and metadata, encoded.
        data: field of Metric for the points: gauge or sum.
        tail: what follows the points in a sum: temporality and monotonicity.
    """

    name: str
    head: bytes
    data: int
    tail: bytes

    def before(self, length: int) -> bytes:
        """Encode what precedes points of some length in field 2 of ScopeMetrics; `tail` follows them."""
        data = head(self.data, length + len(self.tail))
        return head(2, len(self.head) + len(data) + length + len(self.tail)) + self.head + data


def metric_head(name: str, description: str, unit: str, kind: str, monotonic: bool | None = None) -> MetricHead:
    """Make the head of a metric. An empty description, unit or kind is left out.

    Args:
        kind: the type on the page: gauge, counter, info, stateset or unknown.
        monotonic: True and False make a cumulative sum, None a gauge.
    """
    known = text(1, name) + (text(2, description) if description else b"") + (text(3, unit) if unit else b"")
    known += key_value(METADATA, "prometheus.type", kind) if kind else b""
    if monotonic is None:
        return MetricHead(name, known, GAUGE, b"")
    return MetricHead(name, known, SUM, number(2, CUMULATIVE) + (number(3, 1) if monotonic else b""))


def prometheus_head(family: FamilyEntry, described: bool = True) -> MetricHead:
    """Make the head of a family that keeps the name it has on the page.

    Args:
        described: add the help text.
    """
    kind = type_of(family)
    # Receivers append `_total` to a monotonic sum without it; the kubelet's failcnt families have none.
    monotonic = family.name.endswith("_total") if kind == "counter" else None
    return metric_head(family.name, help_of(family) if described else "", unit_of(family.name), kind, monotonic)


def type_of(family: FamilyEntry) -> str:
    """Return the type of a family.

    OpenMetrics has the precise one, but takes a counter without `_total` for unknown, and has no header where a column of its own shows
    the family with `_created` samples.
    """
    precise = _word(family.openmetrics)
    return _word(family.text) if precise in ("", "unknown") else precise


def _word(header: bytes) -> str:
    return header.rstrip(b"\n").rpartition(b" ")[2].decode()


def has_starts(family: FamilyEntry) -> bool:
    """Return True for the text column of a counter that has one more for OpenMetrics, with `_created` samples; the push reads that."""
    return not family.openmetrics


def help_of(family: FamilyEntry) -> str:
    """Return the help text of a family, as on the page."""
    prefix = f"# HELP {family.name} "
    line = family.text.decode().partition("\n# TYPE ")[0].removeprefix(prefix)
    return line.replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\")
