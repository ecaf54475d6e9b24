"""From an entry and a kind to the resource that is watched, with its table of families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, TypeVar

from telegen.kubestate.custom.labels import Labels, compile_labels, is_star
from telegen.kubestate.custom.model import Entry, Family, Kind
from telegen.kubestate.custom.paths import compile_path, decoded_path
from telegen.kubestate.custom.samples import COMPILERS, ReadLabels, check_size
from telegen.kubestate.custom.values import MAX_INT
from telegen.kubestate.resource import METADATA, Resource
from telegen.metrics.family import ALPHA, FamilyGenerator, Generate, Object, Row
from telegen.metrics.label_keys import sanitize
from telegen.metrics.lines import BaseLabels

WHOLE = ("", "metadata", "metadata.managedFields")
"""Paths for which an object is decoded whole; "" is the object itself."""
KEPT = 64 << 10
"""Characters of the labels of elements that are kept for further families: a tenant's list may be long, and the last ones stay."""
Result = TypeVar("Result")


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
    return pruned_reads({decoded_path(path) for path in chain.from_iterable(map(_object_paths, entry.families))})


def pruned_reads(paths: set[str]) -> tuple[str, ...]:
    """Return the paths that must be decoded besides those of every object; empty if all must be decoded."""
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
    base = {**constant, **_renamed(entry.common_labels, constant)}
    if entry.has_kind_labels:
        base |= {"customresource_group": kind.group, "customresource_version": kind.version, "customresource_kind": kind.kind}
    texts = _Texts(base, constant)
    named: dict[str, list[Family]] = {}
    for family in entry.families:
        named.setdefault(family.name, []).append(family)
    return tuple(_generator(families, texts, kind) for families in named.values())


def _generator(families: list[Family], texts: _Texts, kind: Kind) -> FamilyGenerator:
    first, generates = families[0], [_generate(family, texts) for family in families]
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


class _Texts:
    """Readers of the labels of a kind's samples, shared by all families that have equal ones: each is read once per object."""

    def __init__(self, labels: Labels, constant: Mapping[str, str]) -> None:
        """Make it with the labels that all samples have, those in `constant` among them."""
        self._labels, self._constant = labels, constant
        self._base: dict[Any, Callable[[Object], BaseLabels]] = {}
        self._elements: dict[Any, Callable[[Object], list[str]]] = {}

    def base(self, family: Family) -> Callable[[Object], BaseLabels]:
        """Return the reader of the labels that the samples of an object share."""
        key = _base_key(family)
        if key not in self._base:
            self._base[key] = _once_per_object(self._base_reader(family))
        return self._base[key]

    def elements(self, family: Family, read_labels: ReadLabels) -> Callable[[Object], list[str]]:
        """Return the reader of the text of all labels of each element."""
        key = (_base_key(family), family.type, family.path, *_items(family.element_labels))
        key += (family.label_from_key, family.label_name, family.states)
        if key not in self._elements:
            self._elements[key] = _once_per_object(self._elements_reader(family, read_labels), _is_small)
        return self._elements[key]

    def _base_reader(self, family: Family) -> Callable[[Object], BaseLabels]:
        labels, constant = {**self._labels, **_renamed(family.common_labels, self._constant)}, self._constant
        add = compile_labels(family.labels_from_path)
        if add is None:
            return lambda obj: BaseLabels(labels)

        def read(obj: Object) -> BaseLabels:
            own: Labels = {}
            add(obj, own)
            return BaseLabels({**labels, **(_renamed(own, constant) if constant else own)})

        return read

    def _elements_reader(self, family: Family, read_labels: ReadLabels) -> Callable[[Object], list[str]]:
        read, read_base, constant = compile_path(family.path), self.base(family), self._constant

        def read_texts(obj: Object) -> list[str]:
            elements = read_labels(read(obj))
            if constant:
                elements = [_renamed(labels, constant) for labels in elements]
            base = read_base(obj)
            check_size(len(elements), len(base.text))
            return base.texts(elements)

        return read_texts


def _base_key(family: Family) -> Any:
    return *_items(family.common_labels), None, *_items(family.labels_from_path)


def _items(mapping: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(mapping.items())


def _is_small(texts: list[str]) -> bool:
    return not texts or len(texts) * len(texts[0]) <= KEPT


def _once_per_object(
    read: Callable[[Object], Result], is_kept: Callable[[Result], bool] = lambda result: True
) -> Callable[[Object], Result]:
    """Cache the result for the last object if it is to be kept. PERF: 30 families of an object would read its labels 3 us each."""
    last: tuple[Object, Result] | None = None

    def read_once(obj: Object) -> Result:
        nonlocal last
        if last is not None and last[0] is obj:
            return last[1]
        found = read(obj)
        last = (obj, found) if is_kept(found) else None
        return found

    return read_once


def _generate(family: Family, texts: _Texts) -> Generate:
    """Return the generate function: rows of (text of all labels, number)."""
    read, read_base, (read_labels, read_numbers) = compile_path(family.path), texts.base(family), COMPILERS[family.type](family)
    if read_labels is None:

        is_whole = not family.value_from

        def generate_alike(obj: Object) -> list[Row] | None:
            value = read(obj)
            # PERF: most values are integers: 0.5 us instead of 0.9.
            if is_whole and value.__class__ is int and -MAX_INT <= value <= MAX_INT:
                return [(read_base(obj).text, value)]
            numbers = read_numbers(value)
            if len(numbers) == 1:
                return None if numbers[0] is None else [(read_base(obj).text, numbers[0])]
            text = read_base(obj).text
            check_size(len(numbers), len(text))
            return [(text, number) for number in numbers if number is not None] or None

        return generate_alike
    read_texts = texts.elements(family, read_labels)

    def generate(obj: Object) -> list[Row] | None:
        return [(text, number) for text, number in zip(read_texts(obj), read_numbers(read(obj))) if number is not None] or None

    return generate


def _chained(generates: list[Generate]) -> Generate:
    def generate(obj: Object) -> list[Row]:
        return [row for generate in generates for row in generate(obj) or ()]  # type: ignore[union-attr]

    return generate
