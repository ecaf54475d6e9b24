"""`telegen render`: metrics of Kubernetes objects from a file, without a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from telegen.cli.custom_objects import CustomPart, groups
from telegen.kubestate.custom.tables import constant_of
from telegen.kubestate.fields import time_at
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.kubestate.series_labels import LabelsText, has_own
from telegen.metrics.created import with_created
from telegen.metrics.family import FamilyGenerator, Object, has_short_twin
from telegen.metrics.render import Render, renderer

MAX_CAUSE = 300
"""Maximum of characters of an error."""


@dataclass
class _Table:
    """A resource's families, and the texts of its objects by family."""

    families: Sequence[FamilyGenerator]
    render: Render
    columns: list[list[str]]
    is_custom: bool
    selects: Callable[[Object], bool]


class ObjectRenderer:
    """Renders objects one by one and groups their samples by family.

    Attributes:
        unknown: number of skipped objects by `apiVersion kind`.
        errors: number of objects that a family is left out for, by family.
        causes: error of the first of these objects by family, in one line.
    """

    def __init__(
        self,
        resources: Iterable[Resource],
        selection: Selection,
        constant: Mapping[str, str] = {},
        custom: Iterable[CustomPart] = (),
        more: Callable[[Resource], LabelsText | None] = lambda resource: None,
        created: bool = False,
    ) -> None:
        """Prepare the families of `selection`.

        Args:
            constant: labels of every sample.
            custom: tables of custom resources, in the order of the page.
            more: from a built-in resource to the function that gives further labels of its objects.
            created: show the start of counters in OpenMetrics (`openmetrics_created`).
        """
        self.unknown: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.causes: dict[str, str] = {}
        self._tables: dict[tuple[str, str], list[_Table]] = {}
        self._order: list[_Table] = []
        self._selection, self._constant, self._created, self._custom = selection, constant, created, list(custom)
        for part in self._custom:
            for resource in part.resources:
                self._add_table(resource, True, part.selects)
            if part.aggregated:
                self._add_table(part.aggregated.resource, True)
        for resource in resources:
            self._add_table(resource, False, further=more(resource))

    def _add_table(
        self, resource: Resource, is_custom: bool, selects: Callable[[Object], bool] = lambda obj: True, further: LabelsText | None = None
    ) -> None:
        families: Sequence[FamilyGenerator] = selected_families(resource, self._selection)
        render = renderer(resource.identity, families, self._count, constant_of(resource, self._constant), further, has_own)
        if self._created:
            families, render = with_created(families, render, time_at("metadata.creationTimestamp"))
        table = _Table(families, render, [[] for _ in families], is_custom, selects)
        self._tables.setdefault((resource.api_version, resource.kind), []).append(table)
        self._order.append(table)

    def add(self, obj: Object) -> None:
        """Render an object, or count it as unknown if its kind is not among the resources."""
        tables = self._tables.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
        if tables is None:
            kind = " ".join(str(obj[key]) for key in ("apiVersion", "kind") if obj.get(key))
            self.unknown[kind or "objects without a kind"] += 1
            return
        for table in tables:
            for column, text in zip(table.columns, table.render(obj)) if table.selects(obj) else ():
                column.append(text)

    def add_groups(self, objects: Sequence[Object]) -> None:
        """Render the groups of the aggregates over objects."""
        for part in self._custom:
            for group in groups(part, objects, self._count):
                self.add(group)

    def lines(self, openmetrics: bool) -> Iterator[str]:
        """Yield the exposition, family by family; families of resources without objects have no header. Families of one name share
        the first one's header."""
        pages: dict[str, tuple[FamilyGenerator, list[str]]] = {}
        for table in self._order:
            for family, texts in zip(table.families, table.columns):
                # A counter with its start has a column per format.
                if texts and family.header(openmetrics):
                    _, all_texts = pages.setdefault(family.name, (family, []))
                    all_texts += _without_repeated(texts) if table.is_custom else texts
        for name, (family, texts) in pages.items():
            yield family.header(openmetrics and not has_short_twin(name, pages)).decode()
            yield from texts
        if openmetrics:
            yield "# EOF\n"

    def _count(self, family: str, error: Exception) -> None:
        self.errors[family] += 1
        if family not in self.causes:
            # The text of an error may have a value of the object.
            self.causes[family] = " ".join(f"{type(error).__name__}: {error}".split())[:MAX_CAUSE]


def _without_repeated(texts: Iterable[str]) -> list[str]:
    """Return the lines of a family without repeated series: objects need not differ in the labels that an entry gives them."""
    lines: dict[str, str] = {}
    for text in texts:
        # Not splitlines: label values may hold other line ends.
        for line in filter(None, text.split("\n")):
            lines.setdefault(line.rpartition(" ")[0], f"{line}\n")
    return list(lines.values())


def resources_named(names: Iterable[str]) -> list[Resource]:
    """Return resources by name, or all if no name is given, in the order of the registry.

    Raises:
        KeyError: a name is unknown.
    """
    wanted = set(names) or set(RESOURCES)
    unknown = wanted - set(RESOURCES)
    if unknown:
        raise KeyError(f"unknown resource {', '.join(sorted(unknown))}; choose from {', '.join(RESOURCES)}")
    return [resource for name, resource in RESOURCES.items() if name in wanted]
