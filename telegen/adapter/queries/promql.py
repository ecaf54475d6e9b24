"""Queries: matchers of selectors and names, and the template of the rule around them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from telegen.adapter.label_selectors import Requirement, SelectorError
from telegen.adapter.rules.model import LABEL
from telegen.adapter.templates import Template, TemplateError

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}
_OPERATORS = {"=": "=", "==": "=", "!=": "!=", "in": "=~", "notin": "!~", "exists": "!=", "!": "="}


class Matcher(NamedTuple):
    """A condition on a label.

    Attributes:
        value: the text between the quotation marks, before it is quoted.
        shown: the values as `.LabelValuesByName` has them.
    """

    label: str
    operator: str
    value: str
    shown: str

    def __str__(self) -> str:
        return f"{self.label}{self.operator}{_quoted(self.value)}"


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'


def selector_matchers(requirements: Sequence[Requirement]) -> list[Matcher]:
    """Return the matchers of a selector of series. The values of `in` and `notin` are regular expressions as they are written.

    Raises:
        SelectorError: Prometheus has no such label or no such operator.
    """
    matchers = list[Matcher]()
    for one in requirements:
        if one.operator not in _OPERATORS:
            raise SelectorError(f"{one.key}: the operators < and > do not apply to metrics; use =, !=, in, notin, KEY or !KEY")
        if not LABEL.fullmatch(one.key):
            raise SelectorError(f"{one.key!r} cannot be a label of a metric: letters, digits and _ only")
        value = "|".join(one.values)
        matchers.append(Matcher(one.key, _OPERATORS[one.operator], value, value))
    return matchers


def name_matcher(label: str, names: Sequence[str]) -> Matcher:
    """Return the matcher of one or several names. Dots in several names are escaped; they are no regular expressions."""
    if len(names) == 1:
        return Matcher(label, "=", names[0], names[0])
    pattern = "|".join(_SPECIAL.sub(r"\\\g<0>", name) for name in names)
    # Rules write .LabelValuesByName between quotation marks, where a backslash counts twice.
    return Matcher(label, "=~", pattern, pattern.replace("\\", "\\\\"))


def render_query(template: Template, series: str, matchers: Sequence[Matcher], group_by: Sequence[str]) -> str:
    """Return the query of a request.

    Raises:
        TemplateError: the template fails with these values, or gives no query.
    """
    by_name: Mapping[str, str] = {one.label: one.shown for one in matchers}
    query = template.render(
        {
            "Series": series,
            "LabelMatchers": ",".join(map(str, matchers)),
            "LabelValuesByName": by_name,
            "GroupBy": ",".join(group_by),
            "GroupBySlice": list(group_by),
        }
    )
    if not query.strip():
        raise TemplateError("the query is empty")
    return query
