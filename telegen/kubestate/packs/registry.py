"""Registry of the packs. Register a pack with one line in `NAMES`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.resource import Resource

AUTO = "auto"
"""Name that stands for all packs whose API groups are served."""
NAMES = ("openshift", "vpa")
"""Modules of `telegen.kubestate.packs`."""


def _load(name: str) -> Pack:
    # Imported by name: an import statement would list every module a second time.
    pack: Pack = import_module(f"telegen.kubestate.packs.{name}").PACK
    return pack


PACKS: Mapping[str, Pack] = {name: _load(name) for name in NAMES}
"""Packs by name."""


def chosen_packs(names: tuple[str, ...]) -> list[Pack]:
    """Return packs by name; all for `auto`: a pack shows nothing of kinds that are not served."""
    return list(PACKS.values()) if AUTO in names else [PACKS[name] for name in dict.fromkeys(names)]


def pack_tables(names: tuple[str, ...]) -> dict[str, Resource]:
    """Return the tables of packs by resource name."""
    return {resource.table.name: resource.table for pack in chosen_packs(names) for resource in pack.resources}
