"""A metric family as data: what it is called, what it means and the pure function that finds its samples."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Union

Object = dict[str, Any]
"""A Kubernetes object, or one container's readings, as plain JSON-like data."""

Number = Union[int, float]
"""A sample's value; True and False count as 1 and 0."""

Row = tuple[Any, ...]
"""One sample: the values of the family's own labels (str each), then the number."""

Samples = Union[Number, Iterable[Row], None]
"""What a generate function gives: nothing, the one number of a family without labels of its own, or rows."""

Generate = Callable[[Any], Samples]
"""From an object, or from its subject, to samples."""


class Stability(Enum):
    """How much a family may still change, in the words of Kubernetes' metric stability framework."""

    ALPHA = "ALPHA"
    STABLE = "STABLE"


ALPHA = Stability.ALPHA
STABLE = Stability.STABLE


@dataclass(frozen=True)
class Subject:
    """The little that some families are about: the same for many objects, so that what is said of it is remembered.

    Attributes:
        read: from an object to that value.
        label: one that all rows of its families have, whose value differs between objects that are otherwise alike, so that it is
            no part of the subject: rows leave it out. "" for none. Only where there are identity labels.
        place: from an object to the value of that label.
    """

    read: Callable[[Object], Hashable]
    label: str = ""
    place: Callable[[Object], str] = lambda obj: ""


def silent(obj: Object) -> None:
    """The generate function of a family that the configuration lets say nothing: only its header is there."""


@dataclass(frozen=True)
class FamilyGenerator:
    """One metric family of a resource.

    Attributes:
        name: the exposed name, `kube_pod_info`.
        help: one sentence in our own words.
        type: `gauge`, `counter`, `info` or `stateset` (OpenMetrics' words).
        stability: printed in front of the help text when STABLE.
        generate: pure function from the object to its samples (see `Samples`). It may raise on malformed
            objects: the family is then left out for that object and counted.
        labels: names of the labels that its rows add to the identity labels of the resource.
        dynamic: rows are `((name, value) pairs, number)` instead: label names come from the object.
        selects: `labels` or `annotations` when the family shows allowlisted metadata: its generate function is
            made from the configuration.
        opt_in: shown only when the configuration asks for it by name.
        deprecated: version since which the family is deprecated, `2.14.0`, or "".
        subject: when given, `generate` gets this of the object instead of the object. What families of one subject say
            of a value is remembered. Not for dynamic families.
    """

    name: str
    help: str
    type: str
    stability: Stability
    generate: Generate
    labels: tuple[str, ...] = ()
    dynamic: bool = False
    selects: str = ""
    opt_in: bool = False
    deprecated: str = ""
    subject: Subject | None = None

    def __post_init__(self) -> None:
        """Make sure that the label that its subject sets aside is one of its own."""
        aside = self.subject.label if self.subject else ""
        if aside and aside not in self.labels:
            raise ValueError(f"{self.name} has no label {aside}, which its subject sets aside")

    def header(self, openmetrics: bool = False) -> bytes:
        """HELP and TYPE lines, for the text format 0.0.4 or OpenMetrics 1.0.

        Text 0.0.4 knows no `info` and `stateset`: they are gauges there. OpenMetrics names a counter without `_total`,
        and cannot have one whose samples do not end in it: those are `unknown` there.
        """
        name, kind = self.name, self.type
        if openmetrics:
            if kind == "counter" and not name.endswith("_total"):
                kind = "unknown"
            name = _openmetrics_name(name, kind)
        elif kind in ("info", "stateset"):
            kind = "gauge"
        text = self.help.replace("\\", "\\\\").replace("\n", "\\n")
        if openmetrics:
            text = text.replace('"', '\\"')
        if self.deprecated:
            text = f"(Deprecated since v{self.deprecated}) {text}"
        if self.stability is STABLE:
            text = f"[STABLE] {text}"
        return f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode()


def _openmetrics_name(name: str, kind: str) -> str:
    """The family name that OpenMetrics wants for samples called `name`."""
    suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
    return name[: -len(suffix)] if suffix and name.endswith(suffix) else name


def gauge(
    name: str,
    help: str,
    stability: Stability,
    generate: Generate,
    *labels: str,
    opt_in: bool = False,
    deprecated: str = "",
    of: Subject | None = None,
) -> FamilyGenerator:
    """A gauge whose rows carry `labels`; `of` is its subject."""
    return FamilyGenerator(
        name, help, "gauge", stability, generate, labels, opt_in=opt_in, deprecated=deprecated, subject=of
    )


def counter(
    name: str, help: str, stability: Stability, generate: Generate, *labels: str, of: Subject | None = None
) -> FamilyGenerator:
    """A counter whose rows carry `labels`; its name ends in `_total`, but for some of cAdvisor's."""
    return FamilyGenerator(name, help, "counter", stability, generate, labels, subject=of)


def dynamic(name: str, help: str, stability: Stability, generate: Generate, *labels: str) -> FamilyGenerator:
    """A gauge whose rows bring their own label names; `labels` only documents the known ones."""
    return FamilyGenerator(name, help, "gauge", stability, generate, labels, dynamic=True)
