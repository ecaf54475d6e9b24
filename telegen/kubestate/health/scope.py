"""Kinds whose health is read: those of the setting, each in one version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from telegen.config.model import CustomResourceState
from telegen.kubestate.custom.model import Kind, version_order
from telegen.kubestate.health.schema import Schema

BUILT_IN = frozenset(
    {
        "", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps", "authentication.k8s.io",
        "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io",
        "events.k8s.io", "extensions", "flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io",
        "policy", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
    }
)  # fmt: skip
"""Groups of Kubernetes itself: their resources are no custom resources."""
LEFT_OUT = frozenset(
    {
        ("aquasecurity.github.io", "VulnerabilityReport"),
        ("cilium.io", "CiliumEndpoint"),
        ("cilium.io", "CiliumIdentity"),
        ("data.packaging.carvel.dev", "Package"),
        ("data.packaging.carvel.dev", "PackageMetadata"),
        ("kyverno.io", "UpdateRequest"),
        ("openreports.io", "ClusterReport"),
        ("openreports.io", "Report"),
        ("packages.operators.coreos.com", "PackageManifest"),
        ("reports.kyverno.io", "ClusterEphemeralReport"),
        ("reports.kyverno.io", "EphemeralReport"),
        ("wgpolicyk8s.io", "ClusterPolicyReport"),
        ("wgpolicyk8s.io", "PolicyReport"),
    }
)
"""Kinds that `auto` leaves out: records that operators make by the thousand, without a health of their own."""
LEFT_OUT_GROUPS = frozenset({"custom.metrics.k8s.io", "external.metrics.k8s.io", "metrics.k8s.io"})
AUTO, ALL = "auto", "all"
_GROUP = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+", re.ASCII)


@dataclass(frozen=True)
class Scope:
    """The kinds that `custom_resource_state.health` selects.

    Attributes:
        groups: API groups; None for all groups of custom resources.
        selective: kinds without a health of their own are left out.
    """

    groups: frozenset[str] | None
    selective: bool

    @classmethod
    def of(cls, settings: CustomResourceState) -> Scope | None:
        """Return the scope of the settings, None for none. The packs of `auto` bring the health of all groups with them."""
        health = settings.health
        if health in (AUTO, ALL) or health == "none" and AUTO in settings.packs:
            return cls(None, health != ALL)
        return cls(frozenset(health), False) if health != "none" and health else None

    def kinds(self, served: Iterable[Kind], schemas: Mapping[Kind, Schema], read: Iterable[Kind]) -> Iterator[Kind]:
        """Yield the selected kinds, each in one version.

        Args:
            served: all kinds that the API server serves.
            schemas: of the kinds that have a definition.
            read: kinds that are watched for another reason; of several versions one of these is taken.
        """
        read = set(read)
        selected = [kind for kind in served if self._selects(kind, schemas.get(kind))]
        # Of equal keys the last one stays: a kind that is read, then the newest version.
        selected.sort(key=lambda kind: (kind not in read, version_order(kind.version)), reverse=True)
        best = {(kind.group, kind.kind): kind for kind in selected}
        yield from sorted(best.values(), key=lambda kind: kind.order)

    def _selects(self, kind: Kind, schema: Schema | None) -> bool:
        if self.groups is not None:
            return kind.group in self.groups
        if kind.group in BUILT_IN and schema is None:
            return False
        if not self.selective:
            return True
        is_left_out = (kind.group, kind.kind) in LEFT_OUT or kind.group in LEFT_OUT_GROUPS
        return not is_left_out and (schema is None or schema.has_status)


def wrong_groups(health: str | Iterable[str]) -> Iterator[str]:
    """Yield a line for each group of the setting `health` that cannot have custom resources."""
    for group in health if not isinstance(health, str) else ():
        if group in BUILT_IN or not _GROUP.fullmatch(group):
            yield f"{group[:100]!r} is no API group of custom resources; name groups such as cert-manager.io, or auto"
