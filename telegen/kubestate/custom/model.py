"""Entries of a configuration of custom resources as data, checked and with all defaults filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Path = tuple[str, ...]
Paths = Mapping[str, Path]
ANY = "*"
_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?", re.ASCII)
_STAGES = (None, "beta", "alpha")


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
        place: file, line and path, for messages.
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
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class Entry:
    """One entry: the kinds that it selects and their families. Equal entries give equal series.

    Attributes:
        common_labels: constant labels of the entry; the labels of group, version and kind come on top.
        has_kind_labels: False for samples without the labels of group, version and kind.
        prefix: of the names of the families, as it is written.
    """

    pattern: Pattern
    families: tuple[Family, ...]
    common_labels: Mapping[str, str] = field(default_factory=dict)
    has_kind_labels: bool = True
    prefix: str = field(default="", compare=False)


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


def version_order(version: str) -> tuple[int, int, int, str]:
    """Return the key that sorts API versions, the newest stable one first: v2, v1, v2beta1, v1alpha1, others."""
    found = _VERSION.fullmatch(version)
    return (_STAGES.index(found[2]), -int(found[1]), -int(found[3] or 0), version) if found else (len(_STAGES), 0, 0, version)


def served_version(served: Iterable[Kind], group: str, kind: str, versions: Sequence[str] = ()) -> Kind | None:
    """Return a kind in the first of some versions that is served, by default in the newest one; None if there is none."""
    found = {one.version: one for one in served if (one.group, one.kind) == (group, kind)}
    return next((found[version] for version in versions or sorted(found, key=version_order) if version in found), None)
