"""The tables as a whole: every family of the catalogue, named, typed and labelled as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from telegen.kubestate.registry import RESOURCES
from telegen.metrics.family import STABLE, FamilyGenerator
from tests.kubestate.schema_objects import SCHEMA, resolved

PATH = r"[a-z]\w*(?:\[[\w=]*\])?(?:\.\w+(?:\[[\w=]*\])?)*"
HELP = re.compile(rf"[A-Z1][^\n]* \(({PATH}(?:, {PATH})*)\)\.")
"""`Desired replicas (spec.replicas).`; `[]` or `[type=Ready]` stand behind the name of a list."""
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
def test_help_names_the_api_field(resource: str, family: FamilyGenerator) -> None:
    """HELP is one line that begins with a capital letter or 1 and ends with the API fields in parentheses, which exist."""
    found = HELP.fullmatch(family.help)
    assert found, (
        f"{family.name}: HELP must read `What the number is (spec.field).`, with one or more API fields "
        f"in parentheses at the end, not {family.help!r}"
    )
    for path in found[1].split(", "):
        names = re.sub(r"\[[^\]]*\]", "", path).split(".")
        assert has_field(SCHEMA[resource], names), f"{family.name}: HELP names {path}, which {resource} does not have"


def has_field(schema: dict[str, Any], names: list[str]) -> bool:
    """Return True if a field path, without the brackets of lists, exists in a schema."""
    schema = resolved(schema)
    if "items" in schema:
        return has_field(schema["items"], names)
    if not names or schema.get("additionalProperties"):
        return True
    inner = schema.get("properties", {}).get(names[0])
    return inner is not None and has_field(inner, names[1:])


def test_resources_are_in_the_order_of_the_page() -> None:
    """Bytewise by name, each under its own name."""
    assert list(RESOURCES) == sorted(RESOURCES)
    assert all(name == resource.name for name, resource in RESOURCES.items())
