"""Entries of the format with expressions as data, checked and with all defaults filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Union

from telegen.kubestate.custom.model import ANY, Family, Kind, Pattern, served_version

OBJECT_LABELS = ("namespace", "name")
"""Labels of the object."""
KIND_LABELS = ("customresource_group", "customresource_version", "customresource_kind")
"""Labels of the kind, as in kube-state-metrics."""
Identity = Literal["object", "kind", "both", "none"]
IDENTITY: Mapping[str, tuple[str, ...]] = {
    "object": OBJECT_LABELS,
    "kind": KIND_LABELS,
    "both": (*KIND_LABELS, *OBJECT_LABELS),
    "none": (),
}
"""Labels that every sample of an entry has besides its own."""

SHARD = "shard"
"""Label of aggregates: the shard of the agents that has the objects, if there are several shards."""

Type = Literal["gauge", "counter", "info", "stateset", "count"]
Function = Literal["", "sum", "count", "min", "max"]


@dataclass(frozen=True)
class Loop:
    """A repetition of a metric, once per item of a list or per entry of a map.

    Attributes:
        over: expression of the list or the map.
        variable: name of the item, or of the value of the entry, in the expressions that follow.
        key: name of the index, or of the key of the entry; "" for none.
    """

    over: str
    variable: str
    key: str = ""


@dataclass(frozen=True)
class Metric:
    """One metric of an entry. All texts but names are expressions.

    Attributes:
        place: file, line and path, for messages.
        name: the exposed name, prefix included.
        type: `count` is a gauge: the number of repetitions with equal labels.
        value: of each sample; of a stateset, the state. "" is 1.
        numbers: number of each text that `value` may have; a text that is not listed gives no sample.
        scale: factor of the value.
        labels: expression of each label.
        label_maps: expressions of maps whose entries become labels.
        when: condition of a sample; "" for none.
        loops: repetitions, the outermost first.
        states, other: labels of a stateset; `other` is the state of texts that are not listed, "" for none.
        label: name of the label that has the state.
        aggregate: function over all objects, "" for samples of each object. `labels` are then those of the groups.
    """

    name: str
    help: str
    type: Type
    value: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    scale: float = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    label_maps: tuple[str, ...] = ()
    when: str = ""
    loops: tuple[Loop, ...] = ()
    states: tuple[str, ...] = ()
    other: str = ""
    label: str = ""
    aggregate: Function = ""
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class Selector:
    """Objects that the API server selects.

    Attributes:
        labels, fields: selectors in the form of `kubectl get --selector` and `--field-selector`.
        namespaces: each is watched by itself; empty for all. Kinds without namespaces are watched as a whole.
    """

    labels: str = ""
    fields: str = ""
    namespaces: tuple[str, ...] = ()

    @property
    def params(self) -> dict[str, str]:
        """Query parameters of a request."""
        params = {"labelSelector": self.labels, "fieldSelector": self.fields}
        return {key: value for key, value in params.items() if value}


@dataclass(frozen=True)
class MetricEntry:
    """One entry: a kind and its metrics. Equal entries give equal series.

    Attributes:
        kind: `*` for every kind of the group.
        versions: that are read, the preferred one first; empty for the newest one that is served.
        every_version: read all versions that are served; `versions` is empty then.
        excluded: kinds of the group that are left out.
        identity: labels of every sample.
        families: metrics by paths, as of the format of kube-state-metrics.
        common_labels: constant labels of `families`.
        max_series: limit of the series of all its metrics; 0 for none.
        place: file, line and path, for messages.
    """

    group: str
    kind: str
    versions: tuple[str, ...]
    metrics: tuple[Metric, ...]
    selector: Selector = Selector()
    every_version: bool = False
    excluded: tuple[Pattern, ...] = ()
    identity: Identity = "object"
    families: tuple[Family, ...] = ()
    common_labels: Mapping[str, str] = field(default_factory=dict)
    max_series: int = 0
    place: str = field(default="", compare=False)

    @property
    def of_objects(self) -> tuple[Metric, ...]:
        """Metrics with samples of each object."""
        return tuple(metric for metric in self.metrics if not metric.aggregate)

    @property
    def aggregates(self) -> tuple[Metric, ...]:
        """Metrics over all objects."""
        return tuple(metric for metric in self.metrics if metric.aggregate)

    def served(self, kinds: Iterable[Kind]) -> list[Kind]:
        """Return the kinds in the versions that are read; none if they are not served."""
        group = [one for one in kinds if one.group == self.group and self.kind in (ANY, one.kind) and not self._excludes(one)]
        if self.every_version:
            found: Iterable[Union[Kind, None]] = group
        else:
            names = dict.fromkeys(one.kind for one in group)
            found = [served_version(group, self.group, name, self.versions) for name in names]
        return [one for one in found if one]

    def _excludes(self, kind: Kind) -> bool:
        return any(pattern.matches(kind.group, kind.version, kind.kind) for pattern in self.excluded)

    def __str__(self) -> str:
        return f"{self.group}/{'|'.join(self.versions) or ANY} {self.kind}"
