"""The tables as a whole: every family of the catalogue, named, typed and labelled as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from telegen.kubestate.registry import RESOURCES
from telegen.metrics.family import STABLE, FamilyGenerator

CATALOGUE = json.loads((Path(__file__).parent / "catalogue.json").read_text())
FAMILIES = [(resource, family) for resource, table in RESOURCES.items() for family in table.families]


def ids(value: object) -> str:
    """A family by its name."""
    return value.name if isinstance(value, FamilyGenerator) else str(value)


@pytest.mark.parametrize(("resource", "family"), FAMILIES, ids=ids)
def test_family_is_as_catalogued(resource: str, family: FamilyGenerator) -> None:
    """Type, stability, labels, opt-in and deprecation are those of the catalogue."""
    entry = CATALOGUE[resource][family.name]
    identity = [name for name, _ in RESOURCES[resource].identity]
    assert family.type == entry["type"]
    assert (family.stability is STABLE) == (entry["stability"] == "STABLE")
    assert family.opt_in == entry["opt_in"]
    assert family.deprecated == entry["deprecated"]
    assert [*identity, *family.labels] == entry["labels"]


def test_nothing_of_the_catalogue_is_missing() -> None:
    """Every family of a resource in the registry is in its table, in the catalogue's order, once."""
    for resource, table in RESOURCES.items():
        names = [family.name for family in table.families]
        assert sorted(names) == sorted(CATALOGUE[resource])
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(("resource", "family"), FAMILIES, ids=ids)
def test_help_is_a_sentence(resource: str, family: FamilyGenerator) -> None:
    """One line that begins with a capital letter or a value and ends with a full stop."""
    assert re.fullmatch(r"[A-Z1][^\n]*[a-zA-Z)]\.", family.help)


def test_resources_are_in_the_order_of_the_page() -> None:
    """Bytewise by name, each under its own name."""
    assert list(RESOURCES) == sorted(RESOURCES)
    assert all(name == resource.name for name, resource in RESOURCES.items())
