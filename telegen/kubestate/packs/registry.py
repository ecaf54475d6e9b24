"""Registry of the packs. Register a pack with one line in `NAMES`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telegen.kubestate.packs.pack import Pack

AUTO = "auto"
"""Name that stands for all packs whose API groups are served."""
NAMES = (
    *("openshift", "openshift-cluster", "vpa", "cluster-api", "tanzu", "gateway-api", "flux", "strimzi", "olm", "cert-manager", "argo"),
    *("keda", "external-secrets", "velero", "cloudnative-pg", "rook", "prometheus-operator", "crossplane", "karpenter", "knative"),
)
"""Modules of `telegen.kubestate.packs`, with `-` for `_`."""


class _Packs(Mapping[str, "Pack"]):
    """Packs by name, each imported when it is asked for. PERF: all of them are 2.3 MB of every process."""

    def __getitem__(self, name: str) -> Pack:
        if name not in NAMES:
            raise KeyError(name)
        pack: Pack = import_module(f"telegen.kubestate.packs.{name.replace('-', '_')}").PACK
        return pack

    def __contains__(self, name: object) -> bool:
        return name in NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


PACKS: Mapping[str, Pack] = _Packs()
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
