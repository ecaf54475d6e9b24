"""Karpenter: node pools and node claims."""

from __future__ import annotations

from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.specs import by_key, conditions, info, kind

GROUP, OLDER = "karpenter.sh/v1", ("v1beta1",)
LABELS = ("metadata", "labels")

PACK = Pack(
    "karpenter",
    "Node pools and node claims of Karpenter.",
    (
        # Karpenter itself serves karpenter_nodepools_*.
        kind(
            "karpenter_cr_nodepool", GROUP, "nodepools", "NodePool",
            by_key("limit", "Most of each resource", "spec.limits", "resource"),
            by_key("usage", "Amount of each resource", "status.resources", "resource"),
            conditions(), namespaced=False, older=OLDER,
        ),
        kind(
            "karpenter_cr_nodeclaim", GROUP, "nodeclaims", "NodeClaim",
            info(
                "info", "Pool, node and capacity of a claim",
                nodepool=(*LABELS, "karpenter.sh/nodepool"), node="status.nodeName", capacity_type=(*LABELS, "karpenter.sh/capacity-type"),
            ),
            conditions(), namespaced=False, older=OLDER,
        ),
    ),
)
