"""Packs as data: the tables of one product, and the versions in which its kinds are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from telegen.kubestate.custom.model import Entry, Family, Kind, Pattern, served_version
from telegen.kubestate.custom.paths import decoded_path
from telegen.kubestate.custom.tables import make_resource, without_children
from telegen.kubestate.resource import METADATA, Identity, Resource


@dataclass(frozen=True)
class PackResource:
    """One kind of a product.

    Attributes:
        table: kind, preferred version, and families.
        older: further versions that the families can be read from, newest first.
        described: further families, in the terms of the format of kube-state-metrics; they come first. All samples of the
            kind have the labels of group, version and kind then.
        described_older: those of the older versions, if they differ.
        beside: another group without which the kind is not shown, "" for none: for a kind that every cluster serves.
    """

    table: Resource
    older: tuple[str, ...] = ()
    described: tuple[Family, ...] = ()
    described_older: tuple[Family, ...] = ()
    beside: str = ""

    def served(self, kinds: Iterable[Kind]) -> Kind | None:
        """Return the kind in the newest version that is served, None if there is none."""
        return served_version(kinds, self.table.group, self.table.kind, (self.table.version, *self.older))

    def resources(self, kind: Kind, constant: Mapping[str, str] = {}) -> list[Resource]:
        """Return the resources to render for a kind that is served, each with its table.

        Args:
            constant: labels of every sample.
        """
        described = self.described if kind.version == self.table.version else self.described_older or self.described
        found = []
        if described:
            made = make_resource(Entry(Pattern(kind.group, kind.version, kind.kind), described), kind, constant)
            found.append(replace(made, reads=_reads(described)))
        if self.table.families:
            identity = (*_gvk(kind), *self.table.identity) if described else self.table.identity
            found.append(replace(self.table, name=kind.plural, version=kind.version, namespaced=kind.namespaced, identity=identity))
        return found

    @property
    def preferred(self) -> Kind:
        """The kind in its preferred version."""
        table = self.table
        return Kind(table.group, table.version, table.name, table.kind, table.namespaced)


def _reads(described: Iterable[Family]) -> tuple[str, ...]:
    """Return the fields that are decoded for families. An entry of a configuration that reads labels of the whole object has it decoded
    whole; here values of a HelmRelease or files of a KubeadmConfig, which may be secret, are not decoded."""
    paths = {decoded_path(path) for family in described for path in _paths(family)}
    # Metadata is decoded anyway.
    return without_children(paths.difference(METADATA, {"metadata"})) or ("metadata.name",)


def _paths(family: Family) -> Iterator[tuple[str, ...]]:
    """Yield the paths from the object that a family reads."""
    yield from map(tuple, family.labels_from_path.values())
    yield from [family.path] if family.path else map(tuple, family.element_labels.values())


def _gvk(kind: Kind) -> Identity:
    """Return the labels of group, version and kind, which families in the format of kube-state-metrics have as well."""
    labels = {"customresource_group": kind.group, "customresource_kind": kind.kind, "customresource_version": kind.version}
    return tuple((name, lambda obj, value=value: value) for name, value in labels.items())


@dataclass(frozen=True)
class Pack:
    """The kinds of one product.

    Attributes:
        name: in `custom_resource_state.packs`.
        about: one line for the documents: product, and the program whose families these are.
        variants: kinds with other names of families, by the word that selects them in `custom_resource_state.names`.
    """

    name: str
    about: str
    resources: tuple[PackResource, ...]
    variants: Mapping[str, tuple[PackResource, ...]] = field(default_factory=dict)

    @property
    def groups(self) -> set[str]:
        """API groups of the product."""
        return {group for resource in self.resources for group in (resource.table.group, resource.beside or resource.table.group)}

    def named(self, variant: str) -> Pack:
        """Return the pack with the names of a variant, "" for the usual ones."""
        return replace(self, resources=self.variants[variant]) if variant else self

    def served(self, kinds: Iterable[Kind]) -> Iterator[tuple[Kind, PackResource]]:
        """Yield each kind that is served, with its tables."""
        known = list(kinds)
        groups = {kind.group for kind in known}
        for resource in self.resources:
            kind = resource.served(known) if not resource.beside or resource.beside in groups else None
            if kind:
                yield kind, resource
