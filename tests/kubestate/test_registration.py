"""Every resource is registered and has its test data. Each failure says what to add, and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import telegen.kubestate.resources
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.metrics.family import STABLE, FamilyGenerator
from tests.kubestate.fixtures import CASES, CATALOGUE, SCHEMA, WITHOUT_PEER, has_objects

PAGES = ("default.prom", "all.prom")


def test_modules_are_registered() -> None:
    """Every module with a RESOURCE is in the registry."""
    folder = Path(*telegen.kubestate.resources.__path__)
    modules = {path.stem for path in folder.glob("*.py") if "\nRESOURCE = " in path.read_text()}
    missing = sorted(modules - set(RESOURCES))
    assert not missing, f'not registered: add "{missing[0]}" to NAMES in telegen/kubestate/registry.py'


def test_order_of_the_page() -> None:
    """Resources are registered bytewise by name, each under its own name."""
    misnamed = [f"{name}.py has RESOURCE.name {resource.name}" for name, resource in RESOURCES.items() if name != resource.name]
    assert not misnamed, f"name the module like its resource: {misnamed}"
    assert list(RESOURCES) == sorted(RESOURCES), "sort NAMES in telegen/kubestate/registry.py"


@pytest.mark.parametrize("resource", list(RESOURCES))
def test_catalogue(resource: str) -> None:
    """Name, type, stability and labels of every family are those of the catalogue."""
    table = RESOURCES[resource]
    names = [family.name for family in table.families]
    assert len(set(names)) == len(names), f"{resource}: two families have one name"
    wanted, got = CATALOGUE.get(resource, {}), {family.name: entry(table, family) for family in table.families}
    changed = [f'  "{name}": {json.dumps(got[name])}' for name in names if got[name] != wanted.get(name)]
    assert not changed, (
        f'tests/kubestate/catalogue.json differs from the table of {resource}. If that is intended, put into "{resource}":\n'
        + ",\n".join(changed)
    )
    gone = sorted(set(wanted) - set(got))
    assert not gone, f"{resource}: {', '.join(gone)} of tests/kubestate/catalogue.json is not in the table: add or delete it"


def entry(table: Resource, family: FamilyGenerator) -> dict[str, Any]:
    """Return the entry of a family in the catalogue."""
    return {
        "type": family.type,
        "stability": "STABLE" if family.stability is STABLE else "ALPHA",
        "opt_in": family.opt_in,
        "deprecated": family.deprecated,
        "labels": [*[name for name, _ in table.identity], *family.labels],
    }


@pytest.mark.parametrize("resource", list(RESOURCES))
def test_case(resource: str) -> None:
    """Every resource has objects, and the pages of kube-state-metrics for them if it has the resource."""
    case = f"tests/kubestate/cases/{resource}"
    assert has_objects(resource), (
        f'{case}/objects.json is missing: add {{"items": [...]}} with objects that fill every field which {resource} reads, '
        "and one with as few fields as possible"
    )
    missing = [page for page in PAGES if not (CASES / resource / page).is_file()]
    assert not missing or resource in WITHOUT_PEER, (
        f"{case} lacks {' and '.join(missing)}: record the pages of kube-state-metrics for objects.json (all.prom with all labels, "
        f'annotations and opt-in families). If it has no such resource, add "{resource}" to WITHOUT_PEER in tests/kubestate/fixtures.py'
    )


@pytest.mark.parametrize("resource", list(RESOURCES))
def test_schema(resource: str) -> None:
    """The schema of every resource is there, which the generated objects and the HELP texts are checked with."""
    assert resource in SCHEMA, (
        f"tests/kubestate/schema.json lacks {resource}: run `make cluster-tools`, then `python -m tests.kubestate.fetch_schema`"
    )
