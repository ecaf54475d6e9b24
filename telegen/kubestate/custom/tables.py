"""From an entry and a kind to the resource that is watched, with its table of families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from telegen.kubestate.custom.labels import Labels, compile_labels, is_star
from telegen.kubestate.custom.model import Entry, Family, Kind
from telegen.kubestate.custom.paths import compile_path, decoded_path
from telegen.kubestate.custom.samples import COMPILERS, check_size
from telegen.kubestate.resource import METADATA, Resource
from telegen.metrics.family import ALPHA, FamilyGenerator, Generate, Object, Row
from telegen.metrics.label_keys import sanitize
from telegen.metrics.lines import BaseLabels

WHOLE = ("", "metadata", "metadata.managedFields")
"""Paths for which an object is decoded whole; "" is the object itself."""


def make_resource(entry: Entry, kind: Kind, constant: Mapping[str, str] = {}) -> Resource:
    """Return the resource of a kind with the families of an entry.

    Args:
        constant: labels of every sample of the agent. A label of an entry with such a name becomes exported_NAME.
    """
    return Resource(
        name=kind.plural,
        group=kind.group,
        version=kind.version,
        kind=kind.kind,
        namespaced=kind.namespaced,
        identity=(),
        families=_families(entry, kind, constant),
        reads=decoded_paths(entry),
    )


def constant_of(resource: Resource, constant: Mapping[str, str]) -> Mapping[str, str]:
    """Return the constant labels that the renderer has to write: tables of entries have them among their own, sorted by name."""
    return {} if any(family.prepared for family in resource.families) else constant


def joined_reads(resources: Iterable[Resource]) -> tuple[str, ...]:
    """Return the paths that must be decoded for several tables of one kind; empty for all."""
    needs = [resource.needs for resource in resources]
    return without_children(set(chain.from_iterable(needs))) if all(needs) else ()


def decoded_paths(entry: Entry) -> tuple[str, ...]:
    """Return the paths that an entry reads besides those decoded of every object; empty if all must be decoded."""
    paths = {decoded_path(path) for path in chain.from_iterable(map(_object_paths, entry.families))}
    if paths.intersection(WHOLE):
        return ()
    return without_children(paths.difference(METADATA)) or ("metadata.name",)


def without_children(paths: set[str]) -> tuple[str, ...]:
    """Return paths without those below another one, which is decoded whole."""
    return tuple(sorted(path for path in paths if not any(path.startswith(f"{parent}.") for parent in paths)))


def _object_paths(family: Family) -> Iterable[tuple[str, ...]]:
    """Yield the paths from the object that a family reads."""
    yield from family.labels_from_path.values()
    if family.path:
        yield family.path
        return
    yield from (family.value_from, *family.element_labels.values())
    if family.type != "stateset":
        # The object itself is the map that is iterated.
        yield ()


def _families(entry: Entry, kind: Kind, constant: Mapping[str, str]) -> tuple[FamilyGenerator, ...]:
    """Return the generators; metrics of one name share the first one's header, as they do on a page."""
    base = {
        **constant,
        **_renamed(entry.common_labels, constant),
        "customresource_group": kind.group,
        "customresource_version": kind.version,
        "customresource_kind": kind.kind,
    }
    readers: dict[Any, Callable[[Object], BaseLabels]] = {}
    named: dict[str, list[Family]] = {}
    for family in entry.families:
        named.setdefault(family.name, []).append(family)
    return tuple(_generator(families, base, constant, readers, kind) for families in named.values())


def _generator(
    families: list[Family],
    base: Labels,
    constant: Mapping[str, str],
    readers: dict[Any, Callable[[Object], BaseLabels]],
    kind: Kind,
) -> FamilyGenerator:
    first = families[0]
    generates = []
    for family in families:
        labels = {**base, **_renamed(family.common_labels, constant)}
        # Families with the same labels of the object share a reader, which reads them once per object.
        key = tuple(labels.items()), tuple(family.labels_from_path.items())
        if key not in readers:
            readers[key] = _once_per_object(_base_reader(labels, family, constant))
        generates.append(_generate(family, readers[key], constant))
    generate = generates[0] if len(generates) == 1 else _chained(generates)
    ambiguous = not all(_is_distinct(family, kind.namespaced) for family in families)
    return FamilyGenerator(first.name, first.help, first.type, ALPHA, generate, prepared=True, ambiguous=ambiguous)


def _is_distinct(family: Family, namespaced: bool) -> bool:
    """Return True if labels name the object of each sample: by its UID, or by name and namespace."""
    if any(map(is_star, family.element_labels)):
        return False
    own = {family.label_name, family.label_from_key, *map(sanitize, family.element_labels)}
    labels = {sanitize(name): tuple(path) for name, path in sorted(family.labels_from_path.items()) if not is_star(name)}
    paths = {path for name, path in labels.items() if name not in own}
    names = {("metadata", "name"), *([("metadata", "namespace")] if namespaced else ())}
    return ("metadata", "uid") in paths or names <= paths


def _renamed(labels: Mapping[str, str], constant: Mapping[str, str]) -> Labels:
    """Return labels without the names of the agent's constant labels."""
    return {f"exported_{name}" if name in constant else name: value for name, value in labels.items()}


def _base_reader(labels: Labels, family: Family, constant: Mapping[str, str]) -> Callable[[Object], BaseLabels]:
    """Return the reader of the labels of an object."""
    add = compile_labels(family.labels_from_path)
    if add is None:
        return lambda obj: BaseLabels(labels)

    def read(obj: Object) -> BaseLabels:
        own: Labels = {}
        add(obj, own)
        return BaseLabels({**labels, **(_renamed(own, constant) if constant else own)})

    return read


def _once_per_object(read: Callable[[Object], BaseLabels]) -> Callable[[Object], BaseLabels]:
    """Cache the result for the last object. PERF: 30 families of an object would read its labels 3 us each."""
    last: tuple[Object | None, BaseLabels] = (None, BaseLabels({}))

    def read_once(obj: Object) -> BaseLabels:
        nonlocal last
        if last[0] is not obj:
            last = (obj, read(obj))
        return last[1]

    return read_once


def _generate(family: Family, read_base: Callable[[Object], BaseLabels], constant: Mapping[str, str]) -> Generate:
    """Return the generate function: rows of (text of all labels, number)."""
    read, read_elements = compile_path(family.path), COMPILERS[family.type](family)

    def generate(obj: Object) -> list[Row] | None:
        elements = read_elements(read(obj))
        if not elements:
            return None
        if constant:
            elements = [(_renamed(labels, constant) if labels else labels, number) for labels, number in elements]
        base = read_base(obj)
        check_size(len(elements), len(base.text))
        return base.rows(elements)

    return generate


def _chained(generates: list[Generate]) -> Generate:
    def generate(obj: Object) -> list[Row]:
        return [row for generate in generates for row in generate(obj) or ()]  # type: ignore[union-attr]

    return generate
