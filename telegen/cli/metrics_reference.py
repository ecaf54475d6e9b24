"""Generator of docs/metrics from the tables of families: `telegen metrics --markdown`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from telegen.cadvisor.identity.labels import BASE
from telegen.cadvisor.registry import NAMES, collectors_of
from telegen.cadvisor.terminations import counts as terminations
from telegen.kubemetrics.own_families import OWN_FAMILIES
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.health.aggregates import KIND_HEALTH
from telegen.kubestate.health.apiservices import API_SERVICES
from telegen.kubestate.health.crds import CRDS
from telegen.kubestate.health.table import health_resource
from telegen.kubestate.packs.pack import PackResource
from telegen.kubestate.packs.registry import PACKS
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.metrics.family import ALPHA, FamilyGenerator, no_samples

INDEX = "README"
"""Name of the document that lists the others."""

GVK = ("customresource_group", "customresource_version", "customresource_kind")
ANY_KIND = Kind("", "", "", "", True)
_TITLE = """# Metrics

Made from the tables of families by `telegen metrics --markdown --out docs/metrics`.

Label names that end in `*` stand for as many labels as the object and the configuration give. A family that is *opt-in* is
served when `metric_opt_in_list` matches its name. STABLE families keep their labels, ALPHA ones may change; deprecated families
name the version of kube-state-metrics that deprecated them.
"""


@dataclass(frozen=True)
class Table:
    """Families that share a document.

    Attributes:
        name: name of the document, `pods`; the kinds of a pack share one.
        title: of the table in the document.
        about: one paragraph on the source of the numbers.
        identity: names of the labels that every sample begins with.
        families: in the order of exposition.
    """

    name: str
    title: str
    about: str
    identity: Sequence[str]
    families: Sequence[FamilyGenerator]


def tables() -> list[Table]:
    """Return the tables of all families, those of resources first."""
    return [*(_of_resource(resource) for resource in RESOURCES.values()), *_of_packs(), *_of_health(), *_of_node(), _of_agent()]


def _of_agent() -> Table:
    """Return the table of the agent's own metrics."""
    families = [FamilyGenerator(one.name, one.help, one.type, ALPHA, no_samples, one.labels) for one in OWN_FAMILIES.values()]
    about = "From the agent itself, on the page `/telemetry`. Families about a setting exist with that setting."
    return Table("agent", "agent", about, (), families)


def _of_node() -> Iterator[Table]:
    """Yield the tables of the sampler: containers, and the node itself."""
    collectors = collectors_of(NAMES)
    for name, about, labelled in (
        ("containers", "From the cgroups of a node; [containers](../containers.md) has the groups.", True),
        ("machine", "From a node itself.", False),
    ):
        # Two collectors may share a family: disk_io and diskstats.
        families = {family.name: family for collector in collectors if collector.labelled == labelled for family in collector.families}
        if families:
            yield Table(name, name, about, BASE if labelled else (), list(families.values()))
    about = "From the status of a node's pods; [push](../push.md#ends-of-containers) tells more."
    yield Table("terminations", "terminations", about, [name for name, _ in terminations.IDENTITY], terminations.FAMILIES)


def _of_packs() -> Iterator[Table]:
    for pack in PACKS.values():
        for one in pack.resources:
            versions = " or ".join(f"`{one.table.group}/{version}`" for version in (one.table.version, *one.older))
            about = f"From the `{one.table.kind}` objects of {versions}."
            if one.described:
                yield Table(pack.name, one.table.kind, about, (), _described(one))
            if one.table.families:
                yield Table(pack.name, one.table.kind, about, [name for name, _ in one.table.identity], one.table.families)


def _described(packed: PackResource) -> list[FamilyGenerator]:
    """Return the families that are described in the terms of kube-state-metrics, with the names of their labels."""
    labels: dict[str, dict[str, None]] = {}
    for family in (*packed.described, *packed.described_older):
        own = (*family.labels_from_path, *family.common_labels, family.label_name, family.label_from_key, *family.element_labels)
        labels.setdefault(family.name, {}).update(dict.fromkeys((*filter(None, own), *GVK)))
    made = packed.resources(packed.preferred)[0].families
    return [replace(family, labels=tuple(labels[family.name])) for family in made]


def _of_health() -> Iterator[Table]:
    """Yield the tables of the health of custom resources."""
    when = "Served with `kube_metrics.kube_state.custom_resource_state.health` ([health](../health.md))."
    for name, about, resource in (
        ("health-kinds", "Numbers of each kind of custom resources.", KIND_HEALTH),
        ("health-objects", "From each object of a custom resource, as far as `health_detail` has it.", health_resource(ANY_KIND)),
        ("customresourcedefinitions", f"From the `{CRDS.kind}` objects of `{CRDS.api_version}`.", CRDS),
        ("apiservices", f"From the `{API_SERVICES.kind}` objects of `{API_SERVICES.api_version}`.", API_SERVICES),
    ):
        yield Table(name, name, f"{about} {when}", [label for label, _ in resource.identity], resource.families)


def _of_resource(resource: Resource) -> Table:
    when = "Watched by default." if resource.default else "Watched when `kube_metrics.kube_state.resources` names it."
    about = f"From the `{resource.kind}` objects of `{resource.api_version}`. {when}"
    return Table(resource.name, resource.name, about, [name for name, _ in resource.identity], resource.families)


def documents() -> Mapping[str, str]:
    """Return the text of each document by its name without suffix."""
    found: dict[str, list[Table]] = {}
    for table in tables():
        found.setdefault(table.name, []).append(table)
    return {INDEX: _index(found)} | {name: "\n".join(_document(name, group)) + "\n" for name, group in found.items()}


def _index(found: Mapping[str, Sequence[Table]]) -> str:
    total = sum(len(table.families) for group in found.values() for table in group)
    lines = [_TITLE.rstrip(), "", f"{total} families:", "", "| table | families | source |", "|---|---|---|"]
    for name, group in found.items():
        lines.append(f"| [{name}]({name}.md) | {sum(len(table.families) for table in group)} | {_about(name, group)} |")
    return "\n".join(lines) + "\n"


def _about(name: str, group: Sequence[Table]) -> str:
    """Return the source of the families of a document."""
    if name not in PACKS:
        return group[0].about
    return f"{PACKS[name].about} Watched when `kube_metrics.kube_state.custom_resource_state.packs` names `{name}`, or `auto`."


def _document(name: str, group: Sequence[Table]) -> Iterator[str]:
    """Yield the lines of one document."""
    yield from (f"# {name}", "", _about(name, group))
    for table in group:
        if name in PACKS:
            yield from ("", f"## {table.title}", "", table.about)
        yield from _lines(table)


def _lines(table: Table) -> Iterator[str]:
    """Yield the lines of one table."""
    if table.identity:
        yield f"Every sample begins with the labels {_names(table.identity)}; the column has those that follow."
    yield from ("", "| name | type | stability | labels | meaning |", "|---|---|---|---|---|")
    for family in table.families:
        cells = (f"`{family.name}`", family.type, _stability(family), _names(family.labels), family.help.replace("|", "\\|"))
        yield f"| {' | '.join(cells)} |"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _stability(family: FamilyGenerator) -> str:
    """Return STABLE or ALPHA, with notes on opt-in and deprecation."""
    notes = [family.stability.value]
    if family.opt_in:
        notes.append("opt-in")
    if family.deprecated:
        notes.append(f"deprecated since {family.deprecated}")
    return ", ".join(notes)
