"""Generator of docs/metrics from the tables of families: `telegen metrics --markdown`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from telegen.cadvisor.identity.labels import BASE
from telegen.cadvisor.registry import NAMES, collectors_of
from telegen.cadvisor.terminations import counts as terminations
from telegen.kubestate.packs.registry import PACKS
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.metrics.family import FamilyGenerator

INDEX = "README"
"""Name of the document that lists the others."""

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
        name: name of the document and its title, `pods`.
        about: one paragraph on the source of the numbers.
        identity: names of the labels that every sample begins with.
        families: in the order of exposition.
    """

    name: str
    about: str
    identity: Sequence[str]
    families: Sequence[FamilyGenerator]


def tables() -> list[Table]:
    """Return the tables of all families, those of resources first."""
    return [*(_of_resource(resource) for resource in RESOURCES.values()), *_of_packs(), *_of_node()]


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
            yield Table(name, about, BASE if labelled else (), list(families.values()))
    about = "From the status of a node's pods; [push](../push.md#ends-of-containers) tells more."
    yield Table("terminations", about, [name for name, _ in terminations.IDENTITY], terminations.FAMILIES)


def _of_packs() -> Iterator[Table]:
    for pack in PACKS.values():
        for resource in (one.table for one in pack.resources):
            when = f"Watched when `kube_metrics.kube_state.custom_resource_state.packs` names `{pack.name}`, or `auto`."
            about = f"From the `{resource.kind}` objects of `{resource.api_version}`. {when}"
            yield Table(resource.name, about, [name for name, _ in resource.identity], resource.families)


def _of_resource(resource: Resource) -> Table:
    when = "Watched by default." if resource.default else "Watched when `kube_metrics.kube_state.resources` names it."
    about = f"From the `{resource.kind}` objects of `{resource.api_version}`. {when}"
    return Table(resource.name, about, [name for name, _ in resource.identity], resource.families)


def documents() -> Mapping[str, str]:
    """Return the text of each document by its name without suffix."""
    found = tables()
    return {INDEX: _index(found)} | {table.name: "\n".join(_lines(table)) + "\n" for table in found}


def _index(found: Sequence[Table]) -> str:
    total = sum(len(table.families) for table in found)
    lines = [_TITLE.rstrip(), "", f"{total} families:", "", "| table | families | source |", "|---|---|---|"]
    lines += [f"| [{table.name}]({table.name}.md) | {len(table.families)} | {table.about} |" for table in found]
    return "\n".join(lines) + "\n"


def _lines(table: Table) -> Iterator[str]:
    """Yield the lines of one document."""
    yield from (f"# {table.name}", "", table.about)
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
