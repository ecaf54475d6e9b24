"""Packs as data: the tables of one product, and the versions in which its kinds are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from telegen.kubestate.custom.model import Kind
from telegen.kubestate.resource import Resource


@dataclass(frozen=True)
class PackResource:
    """One kind of a product.

    Attributes:
        table: families of the kind; its version is the preferred one.
        older: further versions that the families can be read from, newest first.
    """

    table: Resource
    older: tuple[str, ...] = ()

    def served(self, kinds: Iterable[Kind]) -> Kind | None:
        """Return the kind in the newest version that is served, None if there is none."""
        found = {kind.version: kind for kind in kinds if (kind.group, kind.kind) == (self.table.group, self.table.kind)}
        return next((found[version] for version in (self.table.version, *self.older) if version in found), None)


@dataclass(frozen=True)
class Pack:
    """The kinds of one product.

    Attributes:
        name: in `custom_resource_state.packs`.
        about: one line for the documents: product, and the program whose families these are.
    """

    name: str
    about: str
    resources: tuple[PackResource, ...]

    @property
    def groups(self) -> set[str]:
        """API groups of the product."""
        return {resource.table.group for resource in self.resources}

    def served(self, kinds: Iterable[Kind]) -> Iterator[tuple[Kind, Resource]]:
        """Yield each kind that is served, with its table."""
        known = list(kinds)
        for resource in self.resources:
            kind = resource.served(known)
            if kind:
                yield kind, resource.table
