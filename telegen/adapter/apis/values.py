"""Values as the backends give them and the API groups format them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from telegen.adapter.agents.usage import NodeUsage, PodUsage, RenderedUsage
from telegen.adapter.label_selectors import FieldTerm, Requirement
from telegen.adapter.rest_mapping import GroupResource, Mapped

ALL = "*"
"""Name of an object in requests for all objects."""
RULE, LIVE = "rule", "live"
"""Sources of values: rules over Prometheus, or the agents."""


class ValueObserver(Protocol):
    """Counts values."""

    def served(self, group: str, source: str, times: Sequence[float]) -> None:
        """Values of these Unix seconds are in an answer of an API group."""


class NotObserved:
    """Counts nothing."""

    def served(self, group: str, source: str, times: Sequence[float]) -> None:
        """Do nothing."""


class ResourceRequest(NamedTuple):
    """A request to metrics.k8s.io.

    Attributes:
        resource: pods or nodes.
        name: "" for a list.
        labels, fields: selectors of a list as they are sent, and their terms.
    """

    resource: GroupResource
    namespace: str
    name: str
    labels: str = ""
    fields: str = ""
    label_terms: tuple[Requirement, ...] = ()
    field_terms: tuple[FieldTerm, ...] = ()


class CustomRequest(NamedTuple):
    """A request to custom.metrics.k8s.io.

    Attributes:
        resource: as the request names it.
        name: of the object, or `*`.
        labels: selector of objects as it is sent, and its terms.
        series_terms: selector of series.
    """

    namespace: str
    resource: GroupResource
    name: str
    metric: str
    labels: str
    label_terms: tuple[Requirement, ...]
    series_terms: tuple[Requirement, ...]


class ObjectValue(NamedTuple):
    """Value of a metric of an object.

    Attributes:
        value: in thousandths.
        time: Unix seconds.
        window: seconds; 0 if it is unknown.
    """

    name: str
    value: int
    time: float
    window: float = 0.0


class ExternalValue(NamedTuple):
    """Value of a metric without an object; `value` is in thousandths, `time` in Unix seconds."""

    labels: Mapping[str, str] | None
    value: int
    time: float


class ResourceBackend(Protocol):
    """Source of metrics.k8s.io. Its methods raise StatusError."""

    source: str

    @property
    def is_served(self) -> bool:
        """Return True if requests are for this backend and for none after it."""

    def usage(self, request: ResourceRequest) -> Sequence[PodUsage | NodeUsage]:
        """Return the usage of the wanted objects, sorted by namespace and name.

        A pod has the containers of which something is known; their `cpu` and `memory` may be unknown.
        """

    def rendered(self, request: ResourceRequest, render: Callable[[PodUsage | NodeUsage], str]) -> Sequence[RenderedUsage]:
        """Return what `usage` does as text. `render` is a function that gives the same text for the same usage at any time."""


class CustomBackend(Protocol):
    """Source of custom.metrics.k8s.io."""

    source: str

    def listed(self) -> Iterable[tuple[Mapped, str]]:
        """Yield resource and name of each metric."""

    def find(self, resource: GroupResource, metric: str) -> Mapped | None:
        """Return the resource of a metric by any name of it, None for an unknown metric."""

    def values(self, request: CustomRequest, mapped: Mapped) -> list[ObjectValue] | None:
        """Return the values of the wanted objects, None if no object is selected.

        Raises:
            StatusError.
        """


class ExternalBackend(Protocol):
    """Source of external.metrics.k8s.io."""

    source: str

    def listed(self) -> Iterable[str]:
        """Return the names of the metrics."""

    def values(self, metric: str, namespace: str, terms: tuple[Requirement, ...]) -> list[ExternalValue]:
        """Return the values of a listed metric.

        Raises:
            StatusError.
        """


def rendered(usages: Iterable[PodUsage | NodeUsage], render: Callable[[PodUsage | NodeUsage], str]) -> list[RenderedUsage]:
    """Return usage as text."""
    return [_rendered(one, render(one)) for one in usages]


def _rendered(one: PodUsage | NodeUsage, text: str) -> RenderedUsage:
    namespace, node = (one.namespace, one.node) if isinstance(one, PodUsage) else ("", one.name)
    return RenderedUsage(namespace, one.name, node, one.time, one.labels, text)
