"""Custom resources among the objects of a file: their kinds, and the versions in which an API server would serve them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from telegen.cli.object_reader import Plurals
from telegen.cli.object_selection import selected_by
from telegen.kubestate.custom.definitions import DEFINITION, defined_kinds
from telegen.kubestate.custom.expressions.aggregates import NOTHING, Aggregates
from telegen.kubestate.custom.expressions.surroundings import ReadLabels, plain_labels
from telegen.kubestate.custom.expressions.tables import AggregateTable
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.custom.sources import CustomTables
from telegen.kubestate.health.aggregates import KIND_HEALTH, aggregate
from telegen.kubestate.health.apiservices import API_SERVICES
from telegen.kubestate.health.crds import CRDS
from telegen.kubestate.health.overrides import condition_elements
from telegen.kubestate.health.schema import Schema, schemas
from telegen.kubestate.health.scope import Scope
from telegen.kubestate.health.status import examine
from telegen.kubestate.health.tally import Tally, sums
from telegen.kubestate.resource import Resource
from telegen.metrics.family import Object


class CustomPart(NamedTuple):
    """Tables for the objects of one kind that a selector selects.

    Attributes:
        resources: in the order of the page.
        aggregated: the aggregates over these objects, None for none.
    """

    resources: list[Resource]
    selects: Callable[[Object], bool] = lambda obj: True
    aggregated: AggregateTable | None = None

    def takes(self, obj: Object) -> bool:
        """Return True for an object of the kind that is selected."""
        one = self.resources[0]
        return (obj.get("apiVersion"), obj.get("kind")) == (one.api_version, one.kind) and self.selects(obj)


def custom_parts(
    tables: CustomTables,
    objects: Sequence[Object],
    plurals: Plurals,
    constant: Mapping[str, str] = {},
    scope: Scope | None = None,
) -> list[CustomPart]:
    """Return the tables that entries, packs and the health select among the kinds of objects, in the order of the page.

    Args:
        constant: labels of every sample.

    Raises:
        ConfigError: a selector is malformed.
    """
    kinds = _kinds(objects, plurals)
    found = tables.configured(scope).select(kinds, _schemas(objects))
    labels = namespace_labels(objects)
    parts = [CustomPart([one]) for one in (KIND_HEALTH, CRDS, API_SERVICES)] if scope else []
    for kind, selected in found.items():
        for part in selected.parts().values():
            resources, aggregated = part.resources(kind, constant, labels), part.aggregates(kind, constant, labels)
            parts.append(CustomPart(resources, selected_by(part.selector), aggregated))
    return parts


def namespace_labels(objects: Iterable[Object]) -> ReadLabels:
    """Return the function that gives the labels of the namespaces among objects."""
    found = {}
    for obj in objects:
        metadata = obj.get("metadata")
        if (obj.get("apiVersion"), obj.get("kind")) == ("v1", "Namespace") and isinstance(metadata, dict):
            found[metadata.get("name")] = plain_labels(obj)
    return lambda name: found.get(name, {})


def groups(part: CustomPart, objects: Iterable[Object], on_error: Callable[[str, Exception], None]) -> Iterator[Object]:
    """Yield the objects that the groups of aggregates are rendered from."""
    if part.aggregated is None:
        return
    aggregates, resource = Aggregates(part.aggregated.aggregates, on_error), part.aggregated.resource
    for obj in filter(part.takes, objects):
        aggregates.change(NOTHING, aggregates.contribution(obj))
    for group in aggregates.objects():
        yield {**group, "apiVersion": resource.api_version, "kind": resource.kind}


def kind_numbers(objects: Sequence[Object], plurals: Plurals, scope: Scope | None) -> Iterator[Object]:
    """Yield the objects that the numbers of each kind are rendered from."""
    selected = scope.kinds(_kinds(objects, plurals), _schemas(objects), ()) if scope else ()
    tallies = {(f"{kind.group}/{kind.version}", kind.kind): (kind, Tally()) for kind in selected}
    for number, obj in enumerate(objects):
        kind, tally = tallies.get((str(obj.get("apiVersion")), str(obj.get("kind"))), (None, None))
        if kind and tally is not None:
            tally.take(str(number), obj, examine(obj, condition_elements(kind.group, kind.kind)))
    for kind, tally in tallies.values():
        yield aggregate(kind.group, kind.kind, sums([tally.totals()]), False)


def in_served_versions(objects: Sequence[Object]) -> Iterator[Object]:
    """Yield each object in each version that a definition among the objects serves; others, and definitions, as they are.

    An object that is there in a version already is not converted to it.
    """
    served: dict[tuple[str, str], list[str]] = {}
    for kind in _defined(objects):
        served.setdefault((kind.group, kind.kind), []).append(kind.version)
    seen = {_identity(obj) for obj in objects}
    for obj in objects:
        group, _, version = str(obj.get("apiVersion")).rpartition("/")
        versions = served.get((group, str(obj.get("kind"))))
        if versions is None or version in versions:
            yield obj
        for other in versions or ():
            converted = {**obj, "apiVersion": f"{group}/{other}"}
            if _identity(converted) not in seen:
                seen.add(_identity(converted))
                yield converted


def _identity(obj: Object) -> tuple[str, ...]:
    metadata = obj.get("metadata")
    names = metadata if isinstance(metadata, dict) else {}
    return tuple(str(part) for part in (obj.get("apiVersion"), obj.get("kind"), names.get("namespace"), names.get("name")))


def _kinds(objects: Iterable[Object], plurals: Plurals) -> set[Kind]:
    """Return the kinds of objects. The plural is that of a definition or of a map's key, else a guess, which only orders the page."""
    defined = {(kind.group, kind.version, kind.kind): kind for kind in _defined(objects)}
    found = set()
    for obj in objects:
        api_version, name = str(obj.get("apiVersion")), str(obj.get("kind"))
        group, _, version = api_version.rpartition("/")
        plural = plurals.get((api_version, name)) or f"{name.lower()}s"
        metadata = obj.get("metadata")
        is_namespaced = isinstance(metadata, dict) and bool(metadata.get("namespace"))
        found.add((group, version, name, plural, is_namespaced))
    kinds = {(group, version, name): Kind(group, version, plural, name, scope) for group, version, name, plural, scope in sorted(found)}
    return set({**kinds, **{key: kind for key, kind in defined.items() if key in kinds}}.values())


def _schemas(objects: Iterable[Object]) -> dict[Kind, Schema]:
    """Return the kinds of the definitions among objects, with their schemas."""
    found: dict[Kind, Schema] = {}
    for obj in objects:
        if obj.get("kind") == DEFINITION:
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                by_version = dict(schemas(obj))
                found.update({kind: by_version[kind.version] for kind in defined_kinds(obj)})
    return found


def _defined(objects: Iterable[Object]) -> Iterator[Kind]:
    """Yield the served kinds of the definitions among objects; a malformed definition has none."""
    for obj in objects:
        if obj.get("kind") == DEFINITION:
            try:
                yield from defined_kinds(obj)
            except (KeyError, TypeError, AttributeError):
                continue
