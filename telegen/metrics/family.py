"""Metric families as data: name, HELP, type, labels, and a pure function from an object to samples."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Union

Object = dict[str, Any]
"""A Kubernetes object, or the readings of one container, as plain JSON-like data."""

Number = Union[int, float]
"""Value of a sample; True and False count as 1 and 0."""

Row = tuple[Any, ...]
"""One sample: the values of the family's own labels (str each), then the number."""

Samples = Union[Number, Iterable[Row], None]
"""Result of a generate function: None, the one number of a family without labels of its own, or rows."""

Generate = Callable[[Any], Samples]
"""From an object, or from its projection, to samples."""


class Stability(Enum):
    """Guarantee against changes of a family, in the terms of Kubernetes' metric stability framework."""

    ALPHA = "ALPHA"
    STABLE = "STABLE"


ALPHA = Stability.ALPHA
STABLE = Stability.STABLE


@dataclass(frozen=True)
class Projection:
    """A hashable projection of the object, shared by several families.

    Many objects have the same projection, so the renderer keeps the text of its families and writes it again with the
    labels of the next object.

    Attributes:
        read: from an object to the projection.
        excluded_label: a label of every family of the projection whose value differs between objects that are otherwise
            alike, such as the node of a pod. Rows leave it out. "" for none. Needs identity labels.
        read_excluded: from an object to the value of that label.
    """

    read: Callable[[Object], Hashable]
    excluded_label: str = ""
    read_excluded: Callable[[Object], str] = lambda obj: ""


@dataclass(frozen=True)
class SharedLimit:
    """Limit of the series that several families have together.

    Attributes:
        name: of the limit, for messages; equal ones are one limit.
        series: maximum of series of this agent.
    """

    name: str
    series: int


def no_samples(obj: Object) -> None:
    """Generate nothing: for a family whose header is shown although the configuration selects none of its samples."""


@dataclass(frozen=True)
class FamilyGenerator:
    """One metric family of a resource.

    Attributes:
        name: the exposed name, `kube_pod_info`.
        help: one sentence, in the project's own words.
        type: `gauge`, `counter`, `info` or `stateset` (OpenMetrics' words).
        stability: printed in front of the help text when STABLE.
        generate: pure function from the object to its samples (see `Samples`). It may raise on malformed
            objects: the family is then left out for that object and counted.
        labels: names of the labels that its rows add to the identity labels of the resource.
        dynamic: rows are `((name, value) pairs, number)` instead: label names come from the object.
        prepared: rows are (text of all labels, number) instead; see `telegen.metrics.lines.BaseLabels`.
        ambiguous: several objects may have the same series; see `telegen.metrics.unique`.
        selects: `labels` or `annotations` when the family shows allowlisted metadata: its generate function is
            made from the configuration.
        opt_in: shown only when the configuration asks for it by name.
        deprecated: version since which the family is deprecated, `2.14.0`, or "".
        input: projection that `generate` gets instead of the object. Not for dynamic families.
        limit: of its series and those of other families; None for none.
    """

    name: str
    help: str
    type: str
    stability: Stability
    generate: Generate
    labels: tuple[str, ...] = ()
    dynamic: bool = False
    prepared: bool = False
    ambiguous: bool = False
    selects: str = ""
    opt_in: bool = False
    deprecated: str = ""
    input: Projection | None = None
    limit: SharedLimit | None = None

    def __post_init__(self) -> None:
        excluded = self.input.excluded_label if self.input else ""
        if excluded and excluded not in self.labels:
            raise ValueError(f"{self.name} has no label {excluded}, which its projection excludes")

    def header(self, openmetrics: bool = False) -> bytes:
        """Return the HELP and TYPE lines, for the text format 0.0.4 or OpenMetrics 1.0.

        Text 0.0.4 knows no `info` and `stateset`: they are gauges there. OpenMetrics names a counter without `_total`.
        A counter whose samples do not end in `_total` is `unknown` there.
        """
        name, kind = self.name, self.type
        if openmetrics:
            if kind == "counter" and not name.endswith("_total"):
                kind = "unknown"
            name = _openmetrics_name(name, kind)
        elif kind in ("info", "stateset"):
            kind = "gauge"
        text = self.help.replace("\\", "\\\\").replace("\n", "\\n")
        # Text 0.0.4 does not escape quotes in HELP, OpenMetrics does.
        if openmetrics:
            text = text.replace('"', '\\"')
        if self.deprecated:
            text = f"(Deprecated since v{self.deprecated}) {text}"
        if self.stability is STABLE:
            text = f"[STABLE] {text}"
        return f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode()


def _openmetrics_name(name: str, kind: str) -> str:
    suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
    return name[: -len(suffix)] if suffix and name.endswith(suffix) else name


def has_short_twin(name: str, names: Container[str]) -> bool:
    """Return True if the name that OpenMetrics gives an info, without `_info`, is that of another family on the page. Its header is
    then that of text 0.0.4, which both formats allow: a gauge."""
    return name.endswith("_info") and name.removesuffix("_info") in names


def gauge(
    name: str,
    help: str,
    stability: Stability,
    generate: Generate,
    *labels: str,
    opt_in: bool = False,
    deprecated: str = "",
    input: Projection | None = None,
) -> FamilyGenerator:
    """Make a gauge whose rows carry `labels`."""
    return FamilyGenerator(
        name, help, "gauge", stability, generate, labels, opt_in=opt_in, deprecated=deprecated, input=input
    )


def counter(
    name: str, help: str, stability: Stability, generate: Generate, *labels: str, input: Projection | None = None
) -> FamilyGenerator:
    """Make a counter whose rows carry `labels`. Its name ends in `_total`, except for some names of cAdvisor."""
    return FamilyGenerator(name, help, "counter", stability, generate, labels, input=input)


def dynamic(name: str, help: str, stability: Stability, generate: Generate, *labels: str) -> FamilyGenerator:
    """Make a gauge whose rows bring their own label names; `labels` documents the known ones."""
    return FamilyGenerator(name, help, "gauge", stability, generate, labels, dynamic=True)
