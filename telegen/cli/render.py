"""`telegen render`: metrics of Kubernetes objects from a file, without a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.metrics.family import FamilyGenerator, Object
from telegen.metrics.render import Render, renderer


class ObjectRenderer:
    """Renders objects one by one and groups their samples by family.

    Attributes:
        unknown: number of skipped objects by `apiVersion kind`.
        errors: number of malformed objects by family.
    """

    def __init__(
        self, resources: Iterable[Resource], selection: Selection, constant: Mapping[str, str] = {}
    ) -> None:
        """Prepare the families of `selection`.

        Args:
            constant: labels of every sample.
        """
        self.unknown: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._tables: dict[tuple[str, str], tuple[tuple[FamilyGenerator, ...], Render, list[list[str]]]] = {}
        for resource in resources:
            families = selected_families(resource, selection)
            render = renderer(resource.identity, families, self._count, constant)
            self._tables[resource.api_version, resource.kind] = (families, render, [[] for _ in families])

    def add(self, obj: Object) -> None:
        """Render an object, or count it as unknown if its kind is not among the resources."""
        table = self._tables.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
        if table is None:
            kind = " ".join(str(obj[key]) for key in ("apiVersion", "kind") if obj.get(key))
            self.unknown[kind or "objects without a kind"] += 1
            return
        _, render, columns = table
        for column, text in zip(columns, render(obj)):
            column.append(text)

    def lines(self, openmetrics: bool) -> Iterator[str]:
        """Yield the exposition, family by family; families of resources without objects have no header."""
        for families, _, columns in self._tables.values():
            for family, texts in zip(families, columns):
                if texts:
                    yield family.header(openmetrics).decode()
                    yield from texts
        if openmetrics:
            yield "# EOF\n"

    def _count(self, family: str, error: Exception) -> None:
        self.errors[family] += 1


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
