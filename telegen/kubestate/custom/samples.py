"""Types of the configuration format: functions from the value at a family's path to its elements, each a sample to be.

Labels and numbers are read apart: families of one list or map, such as states and times of conditions, share the labels of its elements.
Go iterates maps in random order; here the order of the object holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Union

from telegen.kubestate.custom.labels import Labels, compile_labels
from telegen.kubestate.custom.model import Family
from telegen.kubestate.custom.paths import compile_path
from telegen.kubestate.custom.values import MAX_INT, number_of
from telegen.metrics.family import Number

ReadLabels = Callable[[Any], list[Labels]]
"""From the value at a path to the labels of each element; they depend on the type, the labels and the states of the family alone."""

ReadNumbers = Callable[[Any], list[Union[Number, None]]]
"""From the value at a path to the number of each element, None for an element without a sample; in the order of the labels."""


class Elements(NamedTuple):
    """Readers of the elements of a family.

    Attributes:
        labels: None if no element has labels of its own.
    """

    labels: ReadLabels | None
    numbers: ReadNumbers


MAX_TEXT = 8 << 20
"""Characters of the labels that the samples of one family of an object share, repeated for each sample."""


def check_size(samples: int, shared: int) -> None:
    """Check that an object whose labels are long and whose list or map is long as well does not become gigabytes of text.

    Args:
        shared: characters of the labels that all samples have.

    Raises:
        ValueError: it would.
    """
    if samples * shared > MAX_TEXT:
        raise ValueError(f"{samples} samples with {shared} characters of labels each; at most {MAX_TEXT >> 20} MiB are shown")


def compile_gauge(family: Family) -> Elements:
    """Return the readers of a gauge: the number at `value_from` of the value, of each item of a list, or of each entry of a map.

    An entry of a map whose key is the only segment of `value_from` is a number itself.
    """
    read, direct, is_whole = compile_path(family.value_from), _single_key(family), not family.value_from

    def number_or_zero(value: Any) -> Number | None:
        return 0 if value is None else number_of(value)

    number = number_or_zero if family.nil_is_zero else number_of

    def read_numbers(value: Any) -> list[Number | None]:
        kind = value.__class__
        if kind is dict:
            found = [item if key == direct else read(item) for key, item in value.items()]
        elif kind is list:
            found = value if is_whole else list(map(read, value))
        else:
            found = [value if is_whole else read(value)]
        # PERF: most numbers are integers: 0.05 us each, through the function 0.12.
        return [one if one.__class__ is int and -MAX_INT <= one <= MAX_INT else number(one) for one in found]

    return Elements(_gauge_labels(family), read_numbers)


def _gauge_labels(family: Family) -> ReadLabels | None:
    add, by_key = compile_labels(family.element_labels), family.label_from_key
    if not add and not by_key:
        return None

    def read_map(value: dict[str, Any]) -> list[Labels]:
        found: list[Labels] = [{by_key: key} if key and by_key else {} for key in value]
        if add:
            # The labels are read from the whole map as well.
            whole: Labels = {}
            add(value, whole)
            check_size(len(found), sum(map(len, whole)) + sum(map(len, whole.values())))
            for labels, item in zip(found, value.values()):
                add(item, labels)
                labels.update(whole)
        return found

    def read_labels(value: Any) -> list[Labels]:
        kind = value.__class__
        if kind is dict:
            return read_map(value)
        found: list[Labels] = []
        for item in value if kind is list else (value,):
            labels: Labels = {}
            if add:
                add(item, labels)
            found.append(labels)
        return found

    return read_labels


def _single_key(family: Family) -> str | None:
    """Return the only segment of `value_from`; None if there are more, or none."""
    only = family.value_from[0] if len(family.value_from) == 1 else ""
    return only if only and "," not in only else None


def compile_stateset(family: Family) -> Elements:
    """Return the readers of a stateset: for the text at `value_from` of the value, or of each item of a list, one sample per state."""
    read, add, states = compile_path(family.value_from), compile_labels(family.element_labels), family.states

    def read_labels(value: Any) -> list[Labels]:
        found: list[Labels] = []
        for item in value if isinstance(value, list) else (value,):
            for state in states:
                labels = {family.label_name: state}
                if add:
                    add(item, labels)
                found.append(labels)
        return found

    def read_numbers(value: Any) -> list[Number | None]:
        current = [read(item) for item in (value if isinstance(value, list) else (value,))]
        return [int(one == state) if isinstance(one, str) else None for one in current for state in states]

    return Elements(read_labels, read_numbers)


def compile_info(family: Family) -> Elements:
    """Return the readers of an info: 1 for the value, for each item of a list, and for each entry of a map, where it has labels."""
    add, by_key = compile_labels(family.element_labels), family.label_from_key

    def read_labels(value: Any) -> list[Labels]:
        found: list[Labels] = []

        def add_element(item: Any, labels: Labels) -> None:
            if add and item is not None:
                add(item, labels)
            if labels:
                found.append(labels)

        for item in value if isinstance(value, list) else (value,):
            add_element(item, {})
        if isinstance(value, dict):
            for key, item in value.items():
                add_element(item, {by_key: key} if key and by_key else {})
        return found

    def read_numbers(value: Any) -> list[Number | None]:
        # There may be fewer elements: those without labels are left out.
        return [1] * (1 + len(value) if isinstance(value, (dict, list)) else 1)

    return Elements(read_labels, read_numbers)


COMPILERS: Mapping[str, Callable[[Family], Elements]] = {
    "gauge": compile_gauge,
    "stateset": compile_stateset,
    "info": compile_info,
}
"""Compiler by type of a family."""
