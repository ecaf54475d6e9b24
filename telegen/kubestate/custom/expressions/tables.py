"""From an entry and a kind to the resource that is watched, with its table of families."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from telegen.kubestate.custom.expressions.aggregates import Aggregate, row_reader
from telegen.kubestate.custom.expressions.model import IDENTITY, SHARD, Metric, MetricEntry
from telegen.kubestate.custom.expressions.samples import compile_metric, generate_of
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.custom.tables import pruned_reads
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, FamilyGenerator

_TYPES = {"count": "gauge"}
GROUPS = "+groups"
"""End of the kind of the objects that groups are; no kind of Kubernetes has such a name."""


def make_resource(entry: MetricEntry, kind: Kind, constant: Mapping[str, str] = {}) -> Resource:
    """Return the resource of a kind with the families of an entry. Every sample has the labels namespace and name of its object.

    Args:
        constant: labels of every sample of the agent. A label of an entry with such a name becomes exported_NAME.
    """
    metrics = [_renamed(metric, constant) for metric in entry.of_objects]
    taken = (*IDENTITY, *constant)
    compiled = [(metric, compile_metric(metric)._replace(taken=taken)) for metric in metrics]
    families = tuple(
        FamilyGenerator(
            metric.name,
            metric.help,
            _TYPES.get(metric.type, metric.type),
            ALPHA,
            generate_of(metric, one),
            labels=() if one.label_maps else label_names(metric),
            dynamic=bool(one.label_maps),
        )
        for metric, one in compiled
    )
    return Resource(
        name=kind.plural,
        group=kind.group,
        version=kind.version,
        kind=kind.kind,
        namespaced=kind.namespaced,
        identity=(NAMESPACE, name_label("name")) if kind.namespaced else (name_label("name"),),
        families=families,
        reads=pruned_reads(set().union(*(one.reads for _, one in compiled), *(compile_metric(one).reads for one in entry.aggregates))),
    )


class AggregateTable(NamedTuple):
    """The aggregates of a kind, and the table of their groups."""

    aggregates: tuple[Aggregate, ...]
    resource: Resource


def make_aggregates(entries: Iterable[MetricEntry], kind: Kind, constant: Mapping[str, str] = {}) -> AggregateTable | None:
    """Return the aggregates of some entries of one kind; None if there are none.

    Args:
        constant: labels of every sample of the agent.
    """
    metrics = [_renamed(metric, constant) for entry in entries for metric in entry.aggregates]
    if not metrics:
        return None
    families = [FamilyGenerator(one.name, one.help, "gauge", ALPHA, row_reader(one.name), labels=label_names(one)) for one in metrics]
    aggregates = tuple(Aggregate(one.name, one.aggregate, generate_of(one, compile_metric(one))) for one in metrics)
    resource = Resource(kind.plural, kind.group, kind.version, f"{kind.kind}{GROUPS}", False, identity=(), families=tuple(families))
    return AggregateTable(aggregates, resource)


def shard_label(number: int, total: int) -> dict[str, str]:
    """Return the label of aggregates for the shard of the agents; none for the only shard. Each shard has the sums of its own objects,
    and one agent may serve several shards on one page."""
    return {SHARD: str(number)} if total > 1 else {}


def _renamed(metric: Metric, constant: Mapping[str, str]) -> Metric:
    """Return a metric whose own labels do not have the names of constant labels."""
    labels = {f"exported_{name}" if name in constant else name: text for name, text in metric.labels.items()}
    return replace(metric, labels=labels, label=f"exported_{metric.label}" if metric.label in constant else metric.label)


def label_names(metric: Metric) -> tuple[str, ...]:
    """Return the names of a metric's own labels, in the order of its rows."""
    return (*metric.labels, *filter(None, (metric.label,)))
