"""The format with expressions as it is written: the keys of its blocks and their types."""

from __future__ import annotations

from typing import Annotated, Literal, Union

from msgspec import Meta, Struct, field


def _about(description: str) -> Meta:
    return Meta(description=description)


_CEL = "A CEL expression."


def _expression(description: str) -> Meta:
    return Meta(description=f"{description} {_CEL}")


Path = Annotated[
    Union[str, list[str]],
    _about("Path in the object: status.conditions[type=Ready].status, metadata.labels[app], spec.containers[0], or a list of segments."),
]
Expression = Annotated[str, _expression("The fields of the object are its variables.")]


class Loop(Struct, forbid_unknown_fields=True):
    over: Annotated[str, _expression("Expression of a list or a map.")] = field(name="in")
    variable: Annotated[str, _about("Variable of the item, or of the value of an entry.")] = field(name="as")
    key: Annotated[str, _about("Variable of the index, or of the key of an entry.")] = ""


class Metric(Struct, forbid_unknown_fields=True):
    name: Annotated[str, _about("Name without the prefix.")]
    help: Annotated[str, _about("Sentence for HELP.")] = ""
    type: Annotated[
        Literal["Gauge", "Counter", "Info", "StateSet", "Count"],
        _about("Count is a gauge: the number of repetitions with equal labels."),
    ] = "Gauge"
    value: Annotated[str, _expression("Value of the sample; of a StateSet the state.")] = ""
    celExpr: Annotated[str, _expression("Another name of value.")] = ""
    map: Annotated[dict[str, float], _about("Number of each text that value may have.")] = field(default_factory=dict)
    scale: Annotated[float, _about("Factor of the value.")] = 1
    when: Annotated[str, _expression("Condition of the sample.")] = ""
    labels: Annotated[dict[str, Expression], _about("Expression of each label.")] = field(default_factory=dict)
    aggregate: Annotated[
        Literal["", "sum", "count", "min", "max"], _about("Function over all objects: one sample per group instead of one per object.")
    ] = ""
    by: Annotated[dict[str, Expression], _about("Labels of a Count, or of the groups of an aggregate.")] = field(default_factory=dict)
    labelsFrom: Annotated[list[Expression], _about("Maps whose entries become labels.")] = field(default_factory=list)
    forEach: Annotated[list[Loop], _about("Repetitions, the outermost first.")] = field(default_factory=list)
    conditions: Annotated[str, _expression("List of conditions: three samples for each, labels condition and status.")] = ""
    states: Annotated[list[str], _about("States of a StateSet.")] = field(default_factory=list)
    other: Annotated[str, _about("State of a StateSet for texts that are not listed.")] = ""
    label: Annotated[str, _about("Label of a StateSet that has the state; the name of the metric if empty.")] = ""
    path: Annotated[
        Union[str, list[str], None],
        _about("Path of the value, the list or the map instead of value, as in a CustomResourceStateMetrics configuration."),
    ] = None
    valueFrom: Annotated[Union[str, list[str]], _about("Path from an element at path to its value.")] = field(default_factory=list)
    elementLabels: Annotated[dict[str, Path], _about("Labels by paths from an element at path.")] = field(default_factory=dict)
    labelFromKey: Annotated[str, _about("Label that has the key of a map at path.")] = ""
    nilIsZero: Annotated[bool, _about("Show 0 for what is absent at path.")] = False
    labelsFromPath: Annotated[dict[str, Path], _about("Labels by paths from the object, of a metric with path.")] = field(
        default_factory=dict
    )
    commonLabels: Annotated[dict[str, str], _about("Constant labels of a metric with path.")] = field(default_factory=dict)


class Excluded(Struct, forbid_unknown_fields=True):
    kind: Annotated[str, _about("Kind; every kind if empty.")] = ""
    version: Annotated[str, _about("Version; every version if empty.")] = ""


class Resource(Struct, forbid_unknown_fields=True):
    kind: Annotated[str, _about("Kind, such as Deployment; * for every kind of the group.")]
    group: Annotated[str, _about("API group; empty for the core group.")] = ""
    version: Annotated[
        Union[str, list[str]], _about("Version, or versions of which the first one that is served is read; empty or *: the newest.")
    ] = ""
    everyVersion: Annotated[bool, _about("Read all served versions instead of one.")] = False
    without: Annotated[list[Excluded], _about("Kinds of the group that are left out.")] = field(default_factory=list)


class Selector(Struct, forbid_unknown_fields=True):
    labels: Annotated[str, _about("Label selector, as of kubectl get --selector.")] = ""
    fields: Annotated[str, _about("Field selector, as of kubectl get --field-selector.")] = ""
    namespaces: Annotated[
        list[Annotated[str, Meta(pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]],
        Meta(max_length=MAX_NAMESPACES, description="Namespaces, each with a watch of its own; all if empty."),
    ] = field(default_factory=list)


MAX_NAMESPACES = 100


class Limits(Struct, forbid_unknown_fields=True):
    series: Annotated[
        int, Meta(ge=0, le=100_000_000, description="Maximum of series of all metrics of the entry; further ones are withheld. 0: none.")
    ] = 0


class Entry(Struct, forbid_unknown_fields=True):
    resource: Resource
    prefix: Annotated[Union[str, None], _about("Prefix of the names of the metrics, empty for none; kube_KIND by default.")] = None
    identity: Annotated[
        Literal["object", "kind", "both", "none"],
        _about("Labels of every sample: namespace and name of the object; customresource_group, _version and _kind; both; none."),
    ] = "object"
    labels: Annotated[dict[str, Expression], _about("Labels of every metric.")] = field(default_factory=dict)
    labelsFrom: Annotated[list[Expression], _about("Maps whose entries become labels of every metric.")] = field(default_factory=list)
    namespaceLabels: Annotated[
        list[Annotated[str, Meta(pattern="^[-A-Za-z0-9_./]+$", max_length=317)]],
        _about("Labels of the object's namespace that become labels namespace_label_NAME of every metric."),
    ] = field(default_factory=list)
    ownerLabels: Annotated[
        bool, _about("Labels owner_kind and owner_name of every metric: the owner that controls the object, empty for none.")
    ] = False
    when: Annotated[str, _expression("Condition of every sample.")] = ""
    labelsFromPath: Annotated[dict[str, Path], _about("Labels by paths from the object, of every metric with path.")] = field(
        default_factory=dict
    )
    commonLabels: Annotated[dict[str, str], _about("Constant labels of every metric with path.")] = field(default_factory=dict)
    selector: Selector = field(default_factory=Selector)
    limits: Limits = field(default_factory=Limits)
    metrics: Annotated[list[Metric], _about("Metrics of the kind.")] = field(default_factory=list)


class File(Struct, forbid_unknown_fields=True):
    metrics: list[Entry] = field(default_factory=list)
