"""Crossplane: installed packages. Managed and composite kinds are hundreds, and no part of a pack."""

from __future__ import annotations

from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import conditions, info, kind

GROUP = "pkg.crossplane.io/v1"


def _kind(name: str, plural: str) -> PackResource:
    return kind(
        f"crossplane_{name.lower()}", GROUP, plural, name,
        info("info", "Image and revision of a package", package="spec.package", revision="status.currentRevision"),
        conditions(), namespaced=False, older=("v1beta1",),
    )


PACK = Pack(
    "crossplane",
    "Providers, configurations and functions of Crossplane.",
    (_kind("Provider", "providers"), _kind("Configuration", "configurations"), _kind("Function", "functions")),
)
