"""Label selectors and field selectors of requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+|$)")
MAX_LENGTH = 64 * 1024
_FIELD_TERM = re.compile(r"(?:[^\\,]|\\.?)+", re.DOTALL)
_FIELD = re.compile(r"([^=!]+)(==?|!=)((?:[^\\,=]|\\[\\,=])*)")
"""A backslash comes before each backslash, comma and equals sign of a value."""
_FIELDS = ("metadata.name", "metadata.namespace")


class SelectorError(Exception):
    """A selector that does not parse."""


class Requirement(NamedTuple):
    """One term of a label selector.

    Attributes:
        operator: =, ==, !=, in, notin, exists, !, gt or lt.
    """

    key: str
    operator: str
    values: tuple[str, ...]

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Return True if labels meet the requirement."""
        value = labels.get(self.key)
        if self.operator in ("exists", "!"):
            return (value is None) == (self.operator == "!")
        if self.operator in ("gt", "lt"):
            return _is_number(value) and (int(value or 0) > int(self.values[0])) == (self.operator == "gt") and value != self.values[0]
        return (value in self.values) == (self.operator in ("=", "==", "in"))


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Return the terms of a label selector, sorted by key.

    Raises:
        SelectorError.
    """
    if len(text) > MAX_LENGTH:
        raise SelectorError(f"longer than {MAX_LENGTH} characters")
    tokens = [token for token in _TOKEN.findall(text) if token]
    if not tokens:
        return ()
    reader = iter([*tokens, ",", ""])
    return tuple(sorted(_terms(reader), key=lambda term: term.key))


def _terms(tokens: Iterator[str]) -> Iterator[Requirement]:
    """Yield the terms of a selector that ends with a comma and an empty token."""
    while token := next(tokens):
        absent = token == "!"
        key = _key(next(tokens) if absent else token)
        sign = next(tokens)
        if absent or sign == ",":
            yield Requirement(key, "!" if absent else "exists", ())
        elif sign in ("in", "notin"):
            yield Requirement(key, sign, tuple(_list(tokens, key)))
            sign = next(tokens)
        elif sign in ("=", "==", "!=", "<", ">"):
            value = next(tokens)
            yield _comparison(key, sign, value)
            sign = next(tokens) if value != "," else ","
        if sign != ",":
            raise SelectorError(f"unable to parse requirement: found {sign!r}, expected: ',' or an operator")


def _comparison(key: str, sign: str, value: str) -> Requirement:
    value = _value(key, "" if value == "," else value)
    if sign not in "<>":
        return Requirement(key, sign, (value,))
    if not _is_number(value):
        raise SelectorError(f"unable to parse requirement: {key}: {value!r} is not a whole number")
    return Requirement(key, "gt" if sign == ">" else "lt", (value,))


def _list(tokens: Iterator[str], key: str) -> Iterator[str]:
    """Yield the values in parentheses, sorted; `()` and `(a,)` have an empty value."""
    if (token := next(tokens)) != "(":
        raise SelectorError(f"unable to parse requirement: found {token!r}, expected: '('")
    values, after_comma = set[str](), True
    while (token := next(tokens)) != ")":
        if not token or (token != "," and not after_comma):
            raise SelectorError(f"unable to parse requirement: found {token!r}, expected: ',' or ')'")
        if token != "," or after_comma:
            values.add(_value(key, "" if token == "," else token))
        after_comma = token == ","
    yield from sorted(values | ({""} if after_comma else set()))


def _key(text: str) -> str:
    prefix, slash, name = text.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and not _PREFIX.fullmatch(prefix)):
        raise SelectorError(f"unable to parse requirement: found {text[:80]!r}, expected: a label")
    return text


def _value(key: str, text: str) -> str:
    if text == "(" or (text and not _NAME.fullmatch(text)):
        raise SelectorError(
            f"unable to parse requirement: {key}: {text[:80]!r} is not a label value: at most 63 letters, digits, '-', '_', '.', "
            "the first and the last a letter or digit"
        )
    return text


def _is_number(text: str | None) -> bool:
    return bool(text) and re.fullmatch(r"[+-]?\d{1,18}", text or "") is not None


def label_selector(requirements: Sequence[Requirement]) -> dict[str, Any] | None:
    """Return a metav1.LabelSelector, None for no requirements.

    Raises:
        SelectorError: a requirement has an operator that the type does not have.
    """
    labels = {one.key: one.values[0] for one in requirements if one.operator in ("=", "==")}
    names = {"in": "In", "notin": "NotIn", "!=": "NotIn", "exists": "Exists", "!": "DoesNotExist"}
    expressions = list[dict[str, Any]]()
    for one in requirements:
        if one.operator in ("gt", "lt"):
            raise SelectorError(f"{one.key}: the operators < and > do not apply to metrics")
        if one.operator in names:
            values = {"values": list(one.values)} if one.values else {}
            expressions.append({"key": one.key, "operator": names[one.operator], **values})
    parts = ({"matchLabels": labels} if labels else {}) | ({"matchExpressions": expressions} if expressions else {})
    return parts or None


class FieldTerm(NamedTuple):
    """One term of a field selector: metadata.name or metadata.namespace."""

    field: str
    is_equal: bool
    value: str


def parse_fields(text: str) -> tuple[FieldTerm, ...]:
    """Return the terms of a field selector.

    Raises:
        SelectorError: it does not parse, or names another field.
    """
    terms = list[FieldTerm]()
    for term in _FIELD_TERM.findall(text):
        found = _FIELD.fullmatch(term)
        if not found:
            raise SelectorError(f"invalid field selector: {term[:80]!r}")
        if found[1] not in _FIELDS:
            raise SelectorError(f"field label not supported: {found[1][:80]}; choose from {', '.join(_FIELDS)}")
        terms.append(FieldTerm(found[1], found[2] != "!=", re.sub(r"\\(.)", r"\1", found[3])))
    return tuple(terms)
