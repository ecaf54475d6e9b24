"""From an entry and a kind to the resource that is watched, with its table of families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from telegen.kubestate.custom.expressions.aggregates import Aggregate, row_reader
from telegen.kubestate.custom.expressions.compiled import compile_metric
from telegen.kubestate.custom.expressions.label_texts import LabelTexts
from telegen.kubestate.custom.expressions.model import IDENTITY, KIND_LABELS, OBJECT_LABELS, SHARD, Metric, MetricEntry
from telegen.kubestate.custom.expressions.samples import generate_of
from telegen.kubestate.custom.expressions.surroundings import NAMESPACE_LABELS, ReadLabels, mentioned, no_labels
from telegen.kubestate.custom.model import Entry, Kind, Pattern
from telegen.kubestate.custom.tables import make_resource as make_path_resource
from telegen.kubestate.custom.tables import pruned_reads
from telegen.kubestate.resource import NAMESPACE, Identity, Resource, name_label
from telegen.metrics.budgets import ENTRY
from telegen.metrics.family import ALPHA, FamilyGenerator, Object, SharedLimit

_TYPES = {"count": "gauge"}
GROUPS = "+groups"
"""End of the kind of the objects that groups are; no kind of Kubernetes has such a name."""


def make_resources(
    entry: MetricEntry, kind: Kind, constant: Mapping[str, str] = {}, namespace_labels: ReadLabels = no_labels
) -> list[Resource]:
    """Return the resources to render for a kind: that of the metrics by paths, and that of the metrics with expressions.

    Args:
        constant: labels of every sample of the agent. A label of an entry with such a name becomes exported_NAME.
        namespace_labels: returns the labels of a namespace.
    """
    by_paths = [make_path_resource(_path_entry(entry, kind), kind, constant)] if entry.families else []
    found = [*by_paths, make_resource(entry, kind, constant, namespace_labels)] if entry.metrics or not by_paths else by_paths
    limit = shared_limit(entry)
    return [replace(one, families=tuple(replace(family, limit=limit) for family in one.families)) for one in found] if limit else found


def shared_limit(entry: MetricEntry) -> SharedLimit | None:
    """Return the limit of the series of an entry; None for none. It has the name of the first metric, which
    no other entry with a limit begins with."""
    names = [*(metric.name for metric in entry.metrics), *(family.name for family in entry.families)]
    return SharedLimit(f"{ENTRY} {names[0]}", entry.max_series) if entry.max_series and names else None


def _path_entry(entry: MetricEntry, kind: Kind) -> Entry:
    """Return the metrics by paths as an entry of the format of kube-state-metrics."""
    identity, own = IDENTITY[entry.identity], {}
    if OBJECT_LABELS[0] in identity:
        own = {name: ("metadata", name) for name in OBJECT_LABELS}
    families = [replace(family, labels_from_path={**own, **family.labels_from_path}) for family in entry.families]
    pattern = Pattern(kind.group, kind.version, kind.kind)
    return Entry(pattern, tuple(families), entry.common_labels, KIND_LABELS[0] in identity)


def make_resource(
    entry: MetricEntry, kind: Kind, constant: Mapping[str, str] = {}, namespace_labels: ReadLabels = no_labels
) -> Resource:
    """Return the resource of a kind with the metrics with expressions of an entry; see `make_resources`."""
    metrics = [_renamed(metric, constant) for metric in entry.of_objects]
    taken = (*IDENTITY[entry.identity], *constant)
    compiled = [(metric, compile_metric(metric)._replace(taken=taken)) for metric in metrics]
    texts = LabelTexts(_identity(entry, kind), constant)
    families = tuple(
        FamilyGenerator(
            metric.name,
            metric.help,
            _TYPES.get(metric.type, metric.type),
            ALPHA,
            generate_of(metric, one, namespace_labels, texts),
            prepared=True,
            ambiguous=OBJECT_LABELS[0] not in taken,
        )
        for metric, one in compiled
    )
    return Resource(
        name=kind.plural,
        group=kind.group,
        version=kind.version,
        kind=kind.kind,
        namespaced=kind.namespaced,
        identity=(),
        families=families,
        reads=pruned_reads(set().union(*(one.reads for _, one in compiled), *(compile_metric(one).reads for one in entry.aggregates))),
    )


class AggregateTable(NamedTuple):
    """The aggregates of a kind, and the table of their groups."""

    aggregates: tuple[Aggregate, ...]
    resource: Resource


def make_aggregates(
    entries: Iterable[MetricEntry], kind: Kind, constant: Mapping[str, str] = {}, namespace_labels: ReadLabels = no_labels
) -> AggregateTable | None:
    """Return the aggregates of some entries of one kind; None if there are none.

    Args:
        constant: labels of every sample of the agent.
        namespace_labels: returns the labels of a namespace.
    """
    made = [one for entry in entries for one in _aggregates(entry, kind, constant, namespace_labels)]
    resource = Resource(
        name=kind.plural,
        group=kind.group,
        version=kind.version,
        kind=f"{kind.kind}{GROUPS}",
        namespaced=False,
        identity=(),
        families=tuple(family for _, family in made),
    )
    return AggregateTable(tuple(one for one, _ in made), resource) if made else None


def _aggregates(
    entry: MetricEntry, kind: Kind, constant: Mapping[str, str], namespace_labels: ReadLabels
) -> Iterator[tuple[Aggregate, FamilyGenerator]]:
    """Yield the aggregates of an entry, each with the family of its groups."""
    limit = shared_limit(entry)
    of_kind = _kind_labels(kind) if KIND_LABELS[0] in IDENTITY[entry.identity] else {}
    for metric in (_renamed(one, constant) for one in entry.aggregates):
        read, labels = row_reader(metric.name, tuple(of_kind.values())), (*of_kind, *label_names(metric))
        family = FamilyGenerator(metric.name, metric.help, "gauge", ALPHA, read, labels=labels, limit=limit)
        yield Aggregate(metric.name, metric.aggregate, generate_of(metric, compile_metric(metric), namespace_labels)), family


def reads_namespaces(entry: MetricEntry) -> bool:
    """Return True if expressions of an entry read the labels of namespaces."""
    return any(NAMESPACE_LABELS in mentioned(metric) for metric in entry.metrics)


def shard_label(number: int, total: int) -> dict[str, str]:
    """Return the label of aggregates for the shard of the agents; none for the only shard. Each shard has the sums of its own objects,
    and one agent may serve several shards on one page."""
    return {SHARD: str(number)} if total > 1 else {}


def _kind_labels(kind: Kind) -> dict[str, str]:
    return dict(zip(KIND_LABELS, (kind.group, kind.version, kind.kind)))


def _identity(entry: MetricEntry, kind: Kind) -> Identity:
    """Return the labels of every sample."""
    known: dict[str, Identity] = {name: ((name, constant_reader(value)),) for name, value in _kind_labels(kind).items()}
    known |= {"namespace": (NAMESPACE,) if kind.namespaced else (), "name": (name_label("name"),)}
    return tuple(label for name in IDENTITY[entry.identity] for label in known[name])


def constant_reader(value: str) -> Callable[[Object], str]:
    """Return a reader that returns the same text for every object."""
    return lambda obj: value


def _renamed(metric: Metric, constant: Mapping[str, str]) -> Metric:
    """Return a metric whose own labels do not have the names of constant labels."""
    labels = {f"exported_{name}" if name in constant else name: text for name, text in metric.labels.items()}
    return replace(metric, labels=labels, label=f"exported_{metric.label}" if metric.label in constant else metric.label)


def label_names(metric: Metric) -> tuple[str, ...]:
    """Return the names of a metric's own labels, in the order of its rows."""
    return (*metric.labels, *filter(None, (metric.label,)))
