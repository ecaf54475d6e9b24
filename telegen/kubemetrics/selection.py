"""Selection of a part of a page by the query of a scrape."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

_PATTERN = re.compile(r"[a-zA-Z0-9_:*?]+")
"""A glob of names of families."""
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""A name of a namespace: an RFC 1123 label."""
MOST_ITEMS = 200
"""Maximum of values of one parameter."""


class Impossible(ValueError):
    """The query selects what cannot exist; the text says why."""


@dataclass(frozen=True)
class Selection:
    """Part of a page; each criterion is None if the query does not name it.

    Attributes:
        resources: the only resources to show.
        excluded: resources not to show.
        families: globs of the only families to show.
        namespaces: namespaces of the only series to show; series without the label `namespace` are left out.
    """

    resources: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()
    families: tuple[str, ...] | None = None
    namespaces: frozenset[str] | None = None

    def has_resource(self, name: str) -> bool:
        """Return True if the stores of a resource are selected."""
        return (self.resources is None or name in self.resources) and name not in self.excluded

    def has_family(self) -> Callable[[str], object]:
        """Return a predicate by the name of a family."""
        return (lambda name: True) if self.families is None else _matcher(self.families)


ALL = Selection()


@lru_cache(maxsize=64)
def _matcher(globs: tuple[str, ...]) -> Callable[[str], object]:
    return re.compile("|".join(map(translate, globs))).match


def selection(query: Mapping[str, Sequence[str]], known: Collection[str]) -> Selection:
    """Read the selection of a query.

    Args:
        query: values by parameter. Each may be a comma list, and a parameter may be repeated.
        known: resources that are watched.

    Raises:
        Impossible: a resource is not watched, a namespace or a glob is malformed, or a parameter has no or too many values.
    """
    resources, excluded = _items(query, "resources"), _items(query, "exclude_resources", optional=True)
    families, namespaces = _items(query, "families"), _items(query, "namespaces")
    # Excluding a resource that is not watched leaves nothing out, as one target list may serve several agents.
    unknown = sorted(set(resources or ()) - set(known))
    if unknown:
        raise Impossible(f"resources: {', '.join(unknown)}: not watched; choose from {', '.join(sorted(known))}")
    for glob in families or ():
        if not _PATTERN.fullmatch(glob):
            raise Impossible(f"families: {glob!r}: not the name of a family; it may have letters, digits, _, :, * and ?")
    for name in namespaces or ():
        if not _NAMESPACE.fullmatch(name):
            raise Impossible(f"namespaces: {name!r}: not the name of a namespace")
    both = sorted(set(resources or ()) & set(excluded or ()))
    if both and both == sorted(set(resources or ())):
        raise Impossible(f"resources: {', '.join(both)}: also in exclude_resources, so nothing is left")
    return Selection(
        resources=None if resources is None else frozenset(resources),
        excluded=frozenset(excluded or ()),
        families=None if families is None else tuple(sorted(set(families))),
        namespaces=None if namespaces is None else frozenset(namespaces),
    )


def _items(query: Mapping[str, Sequence[str]], parameter: str, optional: bool = False) -> list[str] | None:
    """Return the values of a parameter, None if it is absent.

    Args:
        optional: an empty parameter is like an absent one.
    """
    if parameter not in query:
        return None
    items = [item for value in query[parameter] for item in map(str.strip, value.split(",")) if item]
    if not items and not optional:
        raise Impossible(f"{parameter}: no value; leave the parameter out to select everything")
    if len(items) > MOST_ITEMS:
        raise Impossible(f"{parameter}: {len(items)} values; at most {MOST_ITEMS} are allowed")
    return items
