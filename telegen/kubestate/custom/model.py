"""Entries of a configuration of custom resources as data, checked and with all defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Path = tuple[str, ...]
Paths = Mapping[str, Path]
ANY = "*"


@dataclass(frozen=True)
class Pattern:
    """Kinds that an entry selects; `*` stands for every version or kind that the API server serves."""

    group: str
    version: str = ANY
    kind: str = ANY

    def matches(self, group: str, version: str, kind: str) -> bool:
        """Return True if the entry selects a kind."""
        return self.group == group and self.version in (ANY, version) and self.kind in (ANY, kind)

    def __str__(self) -> str:
        return f"{self.group}/{self.version} {self.kind}"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of an entry.

    Attributes:
        name: the exposed name, prefix included.
        type: how `path` becomes samples; see `telegen.kubestate.custom.samples`.
        path: of the value, the list or the map.
        common_labels: constant labels of the metric.
        labels_from_path: labels read from the object, those of the entry included.
        element_labels: labels read from the value at `path`, or from each of its elements.
        value_from: path from an element to its value (gauge, stateset).
        label_from_key: name of the label that has the key of a map (gauge, info); "" for none.
        nil_is_zero: count what is absent as 0 (gauge).
        label_name, states: label and values of a stateset.
    """

    name: str
    help: str
    type: Literal["gauge", "stateset", "info"]
    path: Path = ()
    common_labels: Mapping[str, str] = field(default_factory=dict)
    labels_from_path: Paths = field(default_factory=dict)
    element_labels: Paths = field(default_factory=dict)
    value_from: Path = ()
    label_from_key: str = ""
    nil_is_zero: bool = False
    label_name: str = ""
    states: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One entry: the kinds that it selects and their families. Equal entries give equal series.

    Attributes:
        common_labels: constant labels of the entry; the labels of group, version and kind come on top.
    """

    pattern: Pattern
    families: tuple[Family, ...]
    common_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, order=True)
class Kind:
    """A kind that the API server serves, in one version."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def order(self) -> str:
        """Key that sorts kinds as kube-state-metrics does."""
        return f"{self.group}/{self.version},{self.plural}"
