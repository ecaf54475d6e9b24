"""Test data of each resource: objects, recorded pages, schema and catalogue.

test_registration.py has one test per kind of data that says what to add. All other tests run for complete resources only, so
that one omission is one failure.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from telegen.kubestate.registry import RESOURCES

HERE = Path(__file__).parent
CASES = HERE / "cases"
SCHEMA: dict[str, Any] = json.loads((HERE / "schema.json").read_text())
CATALOGUE: dict[str, dict[str, dict[str, Any]]] = json.loads((HERE / "catalogue.json").read_text())

WITHOUT_PEER: frozenset[str] = frozenset()
"""Resources that kube-state-metrics does not have: their cases have objects, but no recorded pages."""


def has_objects(resource: str) -> bool:
    return (CASES / resource / "objects.json").is_file()


COMPLETE = [name for name in RESOURCES if has_objects(name) and name in SCHEMA and name in CATALOGUE]
"""Names of the resources with all data that the tests need."""


def objects(resource: str) -> list[dict[str, Any]]:
    """Return the objects of the case of a resource."""
    return json.loads((CASES / resource / "objects.json").read_text())["items"]  # type: ignore[no-any-return]
