"""HELP texts of the tables."""

from __future__ import annotations

import re
from typing import Any

import pytest

from telegen.kubestate.registry import RESOURCES
from telegen.metrics.family import FamilyGenerator
from tests.kubestate.fixtures import COMPLETE, SCHEMA
from tests.kubestate.schema_objects import resolved

PATH = r"[a-z]\w*(?:\[[\w=]*\])?(?:\.\w+(?:\[[\w=]*\])?)*"
HELP = re.compile(rf"[A-Z1][^\n]* \(({PATH}(?:, {PATH})*)\)\.")
"""`Desired replicas (spec.replicas).`; `[]` or `[type=Ready]` stand behind the name of a list."""
FAMILIES = [(resource, family) for resource in COMPLETE for family in RESOURCES[resource].families]


def ids(value: object) -> str:
    """Name a test after its family."""
    return value.name if isinstance(value, FamilyGenerator) else str(value)


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
