"""Constructors of the families of packs.

They read any JSON. A value of another type than expected counts as absent, so a malformed field costs no other series.
Numbers may be numbers, flags, quantities, and times of RFC 3339, which become Unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Union

from telegen.kubestate.constructors import allowed_annotations, allowed_labels
from telegen.kubestate.custom.model import Family
from telegen.kubestate.custom.paths import compile_path
from telegen.kubestate.custom.tables import without_children
from telegen.kubestate.custom.values import number_of, text_of
from telegen.kubestate.packs.pack import PackResource
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, FamilyGenerator, Generate, Number, Object, Row, gauge

Path = Union[str, tuple[str, ...]]
"""Names with dots between, `status.phase`, or a tuple where a name has a dot itself. Segments are those of
`telegen.kubestate.custom.paths`."""

When = Callable[[Object], bool]

MOST_ELEMENTS = 100
"""Elements of a list or map that become series, per object."""
_REASON_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:,")


@dataclass(frozen=True)
class Label:
    """Value of a label.

    Attributes:
        paths: from the object, or from the element of a list; the first one with a text counts.
        convert: from the text, "" if there is none, to the value.
    """

    paths: tuple[Path, ...]
    convert: Callable[[str], str] = str


@dataclass(frozen=True)
class Spec:
    """One family of a kind.

    Attributes:
        name: without the prefix of the kind.
        labels: labels besides those of the object.
        reads: paths that the family reads.
    """

    name: str
    help: str
    generate: Generate
    labels: tuple[str, ...] = ()
    reads: tuple[Path, ...] = ()


def segments(path: Path) -> tuple[str, ...]:
    """Return the segments of a path."""
    return tuple(path.split(".")) if isinstance(path, str) else path


def reader(path: Path) -> Callable[[Any], Any]:
    """Make a reader of the value at a path; None if there is none."""
    return compile_path(segments(path))


def text_at(path: Path) -> Callable[[Any], str]:
    """Make a reader of a text; "" if there is none."""
    read = reader(path)

    def read_text(value: Any) -> str:
        found = read(value)
        return "" if found is None else text_of(found)

    return read_text


def elements(value: Any) -> Iterator[Any]:
    """Yield the first `MOST_ELEMENTS` maps of a list."""
    yield from islice((one for one in value if isinstance(one, dict)), MOST_ELEMENTS) if isinstance(value, list) else ()


def reason(path: Path) -> Label:
    """Make a label of a reason: a word in camel case. Another text, which may be different in each object, is `Other`."""
    return Label((path,), lambda text: text if len(text) <= 64 and _REASON_CHARACTERS.issuperset(text) else "Other")


def first(*paths: Path) -> Label:
    """Make a label of the first path with a text: a field has another place in another version."""
    return Label(paths)


def _label_reader(label: Path | Label) -> Callable[[Any], str]:
    if not isinstance(label, Label):
        return text_at(label)
    reads, convert = [text_at(path) for path in label.paths], label.convert
    return lambda value: convert(next(filter(None, (read(value) for read in reads)), ""))


def _paths_of(*labels: Path | Label) -> tuple[Path, ...]:
    return tuple(path for label in labels for path in (label.paths if isinstance(label, Label) else (label,)))


def _shown(*paths: Path) -> str:
    return ", ".join(dict.fromkeys(".".join(segments(path)) for path in paths))


def number(name: str, help: str, *paths: Path, absent: Number | None = None) -> Spec:
    """Make the family of the number at the first path that has one.

    Args:
        absent: number if no path has one; None for no sample.
    """
    reads = [reader(path) for path in paths]

    def generate(obj: Object) -> Number | None:
        return next((found for read in reads if (found := number_of(read(obj))) is not None), absent)

    return Spec(name, f"{help} ({_shown(*paths)}).", generate, (), paths)


def replicas(*names: str) -> list[Spec]:
    """Make the families of counts of the status, `status_replicas` and `status_replicas_ready`; an absent count is 0.

    Args:
        names: fields of the status: `replicas`, `readyReplicas`.
    """
    found = []
    for field in names:
        state = "" if field == "replicas" else field.removesuffix("Replicas").lower()
        name, help = (f"status_replicas_{state}", f"{state.capitalize()} replicas") if state else ("status_replicas", "Replicas")
        found.append(number(name, help, f"status.{field}", absent=0))
    return found


def labelled_number(name: str, help: str, path: Path, /, **labels: Path | Label) -> Spec:
    """Make the family of a number with labels of the object."""
    read, reads = reader(path), [_label_reader(label) for label in labels.values()]

    def generate(obj: Object) -> Iterable[Row]:
        found = number_of(read(obj))
        return [] if found is None else [(*[read_label(obj) for read_label in reads], found)]

    paths = (path, *_paths_of(*labels.values()))
    return Spec(name, f"{help} ({_shown(path)}).", generate, tuple(labels), paths)


def info(name: str, help: str, /, **labels: Path | Label) -> Spec:
    """Make a family of one sample 1 per object; a label without a value is empty."""
    reads = [_label_reader(label) for label in labels.values()]

    def generate(obj: Object) -> Iterable[Row]:
        return [(*[read(obj) for read in reads], 1)]

    paths = _paths_of(*labels.values())
    return Spec(name, f"{help}, always 1 ({_shown(*paths) or 'metadata.name'}).", generate, tuple(labels), paths)


def current(name: str, help: str, path: Path | Label, label: str) -> Spec:
    """Make a family of one sample 1 with the text at a path as label; no sample without one."""
    read = _label_reader(path)

    def generate(obj: Object) -> Iterable[Row]:
        found = read(obj)
        return [(found, 1)] if found else []

    return Spec(name, f"{help}, always 1 ({_shown(*_paths_of(path))}).", generate, (label,), _paths_of(path))


def states(name: str, help: str, path: Path, words: Iterable[str], label: str = "phase") -> Spec:
    """Make the family of a state: 1 on the current word, 0 on the others; no samples without a text."""
    read, known = reader(path), tuple(words)

    def generate(obj: Object) -> Iterable[Row]:
        found = read(obj)
        return [(word, word == found) for word in known] if isinstance(found, str) and found else []

    return Spec(name, f"{help}: 1 for the current one, 0 for the others ({_shown(path)}).", generate, (label,), (path,))


def phases(*words: str) -> Spec:
    """Make the family of status.phase."""
    return states("status_phase", "Phase", "status.phase", words)


def is_text(name: str, help: str, path: Path, text: str) -> Spec:
    """Make a family that is 1 if the text at a path equals one, else 0."""
    read = reader(path)
    return Spec(name, f"{help} ({_shown(path)} is {text}).", lambda obj: read(obj) == text, (), (path,))


def differs(name: str, help: str, one: Path, other: Path) -> Spec:
    """Make a family that is 1 if two texts differ, else 0."""
    first, second = text_at(one), text_at(other)
    return Spec(name, f"{help} ({_shown(one, other)}).", lambda obj: first(obj) != second(obj), (), (one, other))


def size(name: str, help: str, path: Path) -> Spec:
    """Make the family of the number of elements of a list or map; 0 if there is none."""
    read = reader(path)

    def generate(obj: Object) -> Number:
        found = read(obj)
        return len(found) if isinstance(found, (list, dict)) else 0

    return Spec(name, f"{help} ({_shown(path)}).", generate, (), (path,))


def each(name: str, help: str, path: Path, value: Path = (), most: int = MOST_ELEMENTS, /, **labels: Path | Label) -> Spec:
    """Make a family of one sample per element of a list, with labels of the element.

    Args:
        value: from the element to the number; an element without one has no sample. Empty: always 1.
        most: elements that are shown, from the first one on.
    """
    read, read_value, constant = reader(path), reader(value), not value
    reads = [_label_reader(label) for label in labels.values()]

    def generate(obj: Object) -> Iterable[Row]:
        rows = []
        for one in islice(elements(read(obj)), most):
            found = 1 if constant else number_of(read_value(one))
            if found is not None:
                rows.append((*[read_label(one) for read_label in reads], found))
        return rows

    fields = f"{_shown(path)}[]" + (f".{_shown(value)}" if value else "")
    return Spec(name, f"{help}{', always 1' if constant else ''} ({fields}).", generate, tuple(labels), (path,))


def by_key(name: str, help: str, path: Path, label: str, value: Path = ()) -> Spec:
    """Make a family of one sample per entry of a map, with its key as label.

    Args:
        value: from the entry to the number.
    """
    read, read_value = reader(path), reader(value)

    def generate(obj: Object) -> Iterable[Row]:
        entries = read(obj)
        pairs = islice(entries.items(), MOST_ELEMENTS) if isinstance(entries, dict) else ()
        return [(key, found) for key, one in pairs if (found := number_of(read_value(one))) is not None]

    return Spec(name, f"{help} ({_shown(path)}).", generate, (label,), (path,))


def fields(name: str, help: str, label: str, /, **paths: Path) -> Spec:
    """Make a family of one sample per named field that has a number."""
    reads = [(word, reader(path)) for word, path in paths.items()]

    def generate(obj: Object) -> Iterable[Row]:
        return [(word, found) for word, read in reads if (found := number_of(read(obj))) is not None]

    return Spec(name, f"{help} ({_shown(*paths.values())}).", generate, (label,), tuple(paths.values()))


def conditions(name: str = "status_condition", path: Path = "status.conditions", label: str = "condition") -> Spec:
    """Make the family of conditions: 1 for True, 0 for False, -1 for anything else; 1 for a condition without a status, which
    is there only while it holds. An element without a type is none; of several of one type the last counts."""
    read = reader(path)

    def generate(obj: Object) -> Iterable[Row]:
        return list(condition_values(read(obj)).items())

    help = f"State of each condition: 1 for True, 0 for False, -1 for Unknown ({_shown(path)}[].status)."
    return Spec(name, help, generate, (label,), (path,))


def condition_values(value: Any) -> dict[str, int]:
    """Return the state of each condition of a list by its type; see `conditions`."""
    return {
        one["type"]: {"True": 1, "False": 0}.get(str(one["status"]), -1) if one.get("status") is not None else 1
        for one in elements(value)
        if one.get("type") and isinstance(one["type"], str)
    }


def holds(name: str, help: str, condition: str) -> Spec:
    """Make a family that is 1 while a condition of the object is True, else 0."""
    path = ("status", "conditions", f"[type={condition}]", "status")
    return is_text(name, help, path, "True")


def rows(name: str, help: str, make: Generate, labels: tuple[str, ...], *reads: Path) -> Spec:
    """Make a family by a function of its own."""
    return Spec(name, f"{help} ({_shown(*reads)}).", make, labels, reads)


def kind(
    prefix: str,
    api_version: str,
    plural: str,
    name: str,
    *specs: Spec,
    label: str = "",
    namespace: str = "namespace",
    more: Mapping[str, Path] = {},
    namespaced: bool = True,
    older: tuple[str, ...] = (),
    when: When | None = None,
    selects: bool = True,
    beside: str = "",
    described: tuple[Family, ...] = (),
    described_older: tuple[Family, ...] = (),
) -> PackResource:
    """Make a kind with its families.

    Args:
        prefix: of the names of its families, `olm_subscription`.
        api_version: group and preferred version, `operators.coreos.com/v1alpha1`.
        name: the kind, `Subscription`.
        label: label with the name of the object; by default the kind in lower case.
        namespace: label with the namespace of the object.
        more: further labels of every sample.
        older: further versions, newest first.
        when: True for the objects that are shown; None for all.
        selects: add the families of allowlisted labels and annotations.
        beside: API group without which the kind is not shown; "" for none.
    """
    group, _, version = api_version.rpartition("/")
    shown = tuple(_family(prefix, spec, when) for spec in specs)
    selecting = (allowed_labels(prefix, ALPHA, name), allowed_annotations(prefix, ALPHA, name)) if selects else ()
    names = (*(((namespace, NAMESPACE[1]),) if namespaced else ()), name_label(label or name.lower()))
    table = Resource(
        name=plural,
        group=group,
        version=version,
        kind=name,
        namespaced=namespaced,
        identity=(*names, *[(key, text_at(path)) for key, path in more.items()]),
        families=(*shown, *selecting),
        reads=_decoded([path for spec in specs for path in spec.reads] + list(more.values())),
    )
    return PackResource(table, older, described, described_older, beside)


def _family(prefix: str, spec: Spec, when: When | None) -> FamilyGenerator:
    family = gauge(f"{prefix}_{spec.name}", spec.help, ALPHA, spec.generate, *spec.labels)
    if when is None:
        return family
    is_shown, generate = when, spec.generate
    return replace(family, generate=lambda obj: generate(obj) if is_shown(obj) else None)


def _decoded(paths: Iterable[Path]) -> tuple[str, ...]:
    """Return the fields that have to be decoded for some paths: at most three names, up to the first list."""
    found = set()
    for path in paths:
        names: list[str] = []
        for name in segments(path)[:3]:
            if not name.isidentifier():
                break
            names.append(name)
        found.add(".".join(names))
    # Metadata is decoded anyway. A table without any field of its own must not have the whole object decoded.
    return without_children({path for path in found if not path.startswith("metadata.")}) or ("metadata.name",)
