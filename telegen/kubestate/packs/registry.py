"""Registry of the packs. Register a pack with one line in `NAMES`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from telegen.kubestate.packs.pack import Pack

AUTO = "auto"
"""Name that stands for all packs whose API groups are served."""
NAMES = (
    *("openshift", "openshift-cluster", "vpa", "cluster-api", "tanzu", "gateway-api", "flux", "strimzi", "olm", "cert-manager", "argo"),
    *("keda", "external-secrets", "velero", "cloudnative-pg", "rook", "prometheus-operator", "crossplane", "karpenter", "knative"),
)
"""Modules of `telegen.kubestate.packs`, with `-` for `_`."""


def _load(name: str) -> Pack:
    # Imported by name: an import statement would list every module a second time.
    pack: Pack = import_module(f"telegen.kubestate.packs.{name.replace('-', '_')}").PACK
    return pack


PACKS: Mapping[str, Pack] = {name: _load(name) for name in NAMES}
"""Packs by name."""


def chosen_packs(names: tuple[str, ...], variants: Mapping[str, str] = {}) -> list[Pack]:
    """Return packs by name; all for `auto`: a pack shows nothing of kinds that are not served.

    Args:
        variants: names of families by pack, where they are not the usual ones.
    """
    chosen = list(PACKS) if AUTO in names else list(dict.fromkeys(names))
    return [PACKS[name].named(variants.get(name, "")) for name in chosen]


def allowlist_names() -> set[str]:
    """Return the names of all resources of packs in the allowlists of labels and annotations."""
    return {name for pack in PACKS.values() for one in pack.resources for name in (one.table.name, one.table.full_name)}
