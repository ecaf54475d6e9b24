"""Types of the configuration format: functions from the value at a family's path to elements, each a sample to be.

Go iterates maps in random order; here the order of the object holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Union

from telegen.kubestate.custom.labels import Labels, compile_labels
from telegen.kubestate.custom.model import Family
from telegen.kubestate.custom.paths import compile_path
from telegen.kubestate.custom.values import number_of
from telegen.metrics.family import Number

Element = tuple[Union[Labels, None], Number]
"""Labels of the element itself, None for none, and the number."""

ReadElements = Callable[[Any], list[Element]]

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


def compile_gauge(family: Family) -> ReadElements:
    """Return the reader of a gauge: the number at `value_from` of the value, of each item of a list, or of each entry of a map.

    An entry of a map whose key is the only segment of `value_from` is a number itself.
    """
    read, add, zero = compile_path(family.value_from), compile_labels(family.element_labels), family.nil_is_zero
    direct, by_key, is_whole = _single_key(family), family.label_from_key, not family.value_from

    def number_or_zero(value: Any) -> Number | None:
        return 0 if value is None else number_of(value)

    number = number_or_zero if zero else number_of

    def read_map(value: dict[str, Any]) -> list[Element]:
        found: list[Element] = []
        whole: Labels = {}
        if add:
            # The labels are read from the whole map as well.
            add(value, whole)
        shared = sum(map(len, whole)) + sum(map(len, whole.values()))
        for key, item in value.items():
            result = number(item if key == direct else read(item))
            if result is not None:
                labels = {by_key: key} if key and by_key else {}
                if add:
                    add(item, labels)
                    labels.update(whole)
                    check_size(len(found), shared)
                found.append((labels, result))
        return found

    def read_list(value: list[Any]) -> list[Element]:
        found: list[Element] = []
        for item in value:
            result = number(item if is_whole else read(item))
            if result is not None:
                labels: Labels | None = {} if add else None
                if add and labels is not None:
                    add(item, labels)
                found.append((labels, result))
        return found

    def read_elements(value: Any) -> list[Element]:
        kind = value.__class__
        if kind is dict:
            return read_map(value)
        if kind is list:
            return read_list(value)
        if add or not is_whole:
            return read_list([value])
        result = number(value)
        return [] if result is None else [(None, result)]

    return read_elements


def _single_key(family: Family) -> str | None:
    """Return the only segment of `value_from`; None if there are more, or none."""
    only = family.value_from[0] if len(family.value_from) == 1 else ""
    return only if only and "," not in only else None


def compile_stateset(family: Family) -> ReadElements:
    """Return the reader of a stateset: for the text at `value_from` of the value, or of each item of a list, one sample per state."""
    read, add = compile_path(family.value_from), compile_labels(family.element_labels)
    states = [(state, {family.label_name: state}) for state in family.states]

    def read_elements(value: Any) -> list[Element]:
        found: list[Element] = []
        for item in value if isinstance(value, list) else (value,):
            current = read(item)
            for state, labels in states if isinstance(current, str) else ():
                if add:
                    labels = labels.copy()
                    add(item, labels)
                found.append((labels, int(current == state)))
        return found

    return read_elements


def compile_info(family: Family) -> ReadElements:
    """Return the reader of an info: 1 for the value, for each item of a list, and for each entry of a map, where it has labels."""
    add, by_key = compile_labels(family.element_labels), family.label_from_key

    def read_elements(value: Any) -> list[Element]:
        found: list[Element] = []

        def add_element(item: Any, labels: Labels) -> None:
            if add and item is not None:
                add(item, labels)
            if labels:
                found.append((labels, 1))

        for item in value if isinstance(value, list) else (value,):
            add_element(item, {})
        if isinstance(value, dict):
            for key, item in value.items():
                add_element(item, {by_key: key} if key and by_key else {})
        return found

    return read_elements


COMPILERS: Mapping[str, Callable[[Family], ReadElements]] = {
    "gauge": compile_gauge,
    "stateset": compile_stateset,
    "info": compile_info,
}
"""Compiler by type of a family."""
