"""A rules file that has been read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telegen.adapter.rest_mapping import GroupResource
from telegen.adapter.rules.regexes import Replacement
from telegen.adapter.templates import Template

QUERY_FIELDS = ("Series", "LabelMatchers", "LabelValuesByName", "GroupBy", "GroupBySlice")
"""Fields of the templates of queries."""
LABEL = re.compile(r"[a-zA-Z_]\w*", re.ASCII)
"""Names of labels that a query can have as they are."""
LABEL_FIELDS = ("Group", "Resource")
"""Fields of the templates of labels."""


@dataclass(frozen=True)
class SeriesFilter:
    """A condition on the name of a series.

    Attributes:
        regex: searched in the name.
        wanted: True if it must match, False if it must not.
    """

    regex: Any
    wanted: bool

    def keeps(self, name: str) -> bool:
        return bool(self.regex.search(name)) == self.wanted


@dataclass(frozen=True)
class NameRule:
    """The name of a metric by the name of its series."""

    matches: Any
    replacement: Replacement

    def metric(self, series: str) -> str | None:
        """Return the name of the metric, None if the series is not matched."""
        found = self.matches.search(series)
        return self.replacement.expand(found) if found else None


@dataclass(frozen=True)
class LabelRules:
    """The labels that name resources.

    Attributes:
        overrides: name of a resource, singular, plural or kind, by label, in the order of the file.
        template: of the labels of all other resources; None if only the overrides count.
        namespaced: False for external metrics that are the same in every namespace.
        place: `FILE:LINE: PATH` of the block in the file, for messages.
    """

    overrides: Mapping[str, GroupResource]
    template: Template | None
    namespaced: bool = True
    place: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule of `rules` or `externalRules`.

    Attributes:
        place: `FILE:LINE: PATH` in the file, for messages.
        series_query: selector of series.
        is_external: True for a rule of `externalRules`.
    """

    place: str
    series_query: str
    filters: tuple[SeriesFilter, ...]
    labels: LabelRules
    name: NameRule
    query: Template
    is_external: bool = False

    def keeps(self, series: str) -> bool:
        """Return True if the filters select a series by its name."""
        return all(one.keeps(series) for one in self.filters)


@dataclass(frozen=True)
class ResourceRule:
    """The queries of CPU or memory."""

    container_query: Template
    node_query: Template
    labels: LabelRules
    container_label: str


@dataclass(frozen=True)
class ResourceRules:
    """Rules of metrics.k8s.io.

    Attributes:
        window: seconds that the answers report as their window.
    """

    cpu: ResourceRule
    memory: ResourceRule
    window: float


@dataclass(frozen=True)
class RulesFile:
    """A rules file.

    Attributes:
        custom, external: the rules that can be used, in the order of the file.
        groups: API groups for which the file has rules, refused ones included.
        problems: a line for each rule, or resource rules, that is refused.
        warnings: a line for each rule that cannot be asked for as it stands.
    """

    custom: tuple[Rule, ...] = ()
    external: tuple[Rule, ...] = ()
    resource: ResourceRules | None = None
    groups: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
