"""Usage of pods and nodes as the metrics APIs read it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

Numbers = Sequence[float | None]
Values = Mapping[str, float | None]
"""Values by the agent's column: cores, bytes, rates per second, ratios from 0 to 1; None where the kernel has no value."""


class PodUsage(NamedTuple):
    """Usage of one pod. PERF: rows as they are stored; a list of pods has no use for dicts.

    Attributes:
        node: name of its node.
        labels: its labels as a JSON object.
        time: end of the window in Unix seconds, by the adapter's clock.
        window: seconds.
        container_columns, columns: names of the values of containers, and of those of the pod as a whole.
        names: of the containers.
        rows: values of each container.
        row: values of the pod as a whole.
    """

    namespace: str
    name: str
    node: str
    labels: bytes
    time: float
    window: float
    container_columns: tuple[str, ...]
    columns: tuple[str, ...]
    names: Sequence[str]
    rows: Sequence[Numbers]
    row: Numbers

    @property
    def containers(self) -> Mapping[str, Values]:
        """Values by container."""
        return {name: dict(zip(self.container_columns, row)) for name, row in zip(self.names, self.rows)}

    @property
    def values(self) -> Values:
        """Values of the pod as a whole."""
        return dict(zip(self.columns, self.row))


Render = Callable[[PodUsage], str]


class RenderedUsage(NamedTuple):
    """Usage of a pod or node as text; "" for one that is left out. The other attributes are those of `PodUsage`."""

    namespace: str
    name: str
    node: str
    time: float
    labels: bytes
    text: str


class NodeUsage(NamedTuple):
    """Usage of one node. `values` are by column, the other attributes those of `PodUsage`."""

    name: str
    labels: bytes
    time: float
    window: float
    values: Values


class FamilySample(NamedTuple):
    """One sample of a kube_* family; `name` is that of the sample."""

    name: str
    labels: Mapping[str, str]
    value: float


class FamiliesAnswer(NamedTuple):
    """Samples of kube_* families of the whole cluster.

    Attributes:
        samples: by family; a family that no agent has is absent.
        time: time of the oldest part in Unix seconds; 0 without any.
        problem: names a shard that is missing; "" if the samples are complete.
    """

    samples: Mapping[str, list[FamilySample]]
    time: float
    problem: str


class UsageSource(Protocol):
    """The newest usage of all agents. Whatever is older than `adapter.max_staleness` is left out."""

    def pods(self, namespace: str, name: str = "") -> Iterator[PodUsage]:
        """Yield the pods of a namespace, or the one of this name; of all namespaces if `namespace` is ""."""
        ...

    def rendered_pods(self, namespace: str, render: Render) -> Iterator[RenderedUsage]:
        """Yield the pods of a namespace, of all if it is "", as text. All callers have the same render function: its texts are kept."""
        ...

    def has_pod(self, namespace: str, name: str) -> bool:
        """Return True if an agent has the pod, with usage or without."""
        ...

    def has_node(self, name: str) -> bool:
        """Return True if an agent is of the node, with usage or without."""
        ...

    def nodes(self, name: str = "") -> Iterator[NodeUsage]:
        """Yield all nodes, or the one of this name."""
        ...

    def families(self, names: Collection[str]) -> FamiliesAnswer:
        """Return the samples of kube_* families from the agents that hold the shards. It may block for some seconds."""
        ...

    def problem(self) -> str:
        """Return the reason why usage cannot be answered, "" if it can."""
        ...
