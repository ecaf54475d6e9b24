"""Combinations of folders and components of k8s/ that make sense."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from telegen.kubestate.packs.registry import PACKS
from tests.cluster.kubectl import MODES, Variant

NODE_AND_CLUSTER = ("overlays/node", "overlays/cluster")
FOLDERS = (*((mode,) for mode in MODES), NODE_AND_CLUSTER)
"""Folders that users apply together."""
V1, V1BETA2 = "flow-control", "flow-control-v1beta2"
"""Of these two components users take the one that fits their version of Kubernetes."""
ANYWHERE = ("auth", "dashboards", "kube-prometheus", "network-policy", "otlp", "prometheus", "prometheus-operator")
DAEMONSETS = {"base", "overlays/node"}
RIGHTS = ("custom-resources-health", "custom-resources-view", "events", "pack-openshift", "pack-vpa")
"""They bind the only account of a kustomization, and the part of the agent that serves kube_* needs them."""
ALIKE = tuple(sorted(f"pack-{name}" for name in PACKS if f"pack-{name}" not in RIGHTS))
"""Rights of further packs, which have the form of the others: combined all at once only."""
NEEDS = {"kube-prometheus-stack-drops": "prometheus-operator"}
"""A component, and the one that it changes."""


def namespace(folders: tuple[str, ...]) -> str:
    """Return the component with the namespace of the folders."""
    return "namespace-restricted" if folders[0] in ("overlays/standalone", "overlays/shards") else "namespace"


def components(folders: tuple[str, ...], flow_control: str = V1) -> tuple[str, ...]:
    """Return the components that fit, in an order in which all can be combined."""
    of_nodes = ("hardened", "openshift") if DAEMONSETS.intersection(folders) else ()
    rights = () if "overlays/node" in folders else (*RIGHTS, *ALIKE)
    return (namespace(folders), *of_nodes, *rights, *ANYWHERE, *NEEDS, flow_control)


def combinations(folders: tuple[str, ...], flow_control: str = V1, most: int = 2) -> Iterator[Variant]:
    """Yield the folders without components, with up to `most` of them, and with all that fit."""
    fitting = components(folders, flow_control)
    few = [name for name in fitting if name not in ALIKE]
    for count in range(most + 2):
        for chosen in itertools.combinations(few, count) if count <= most else (fitting,):
            yield Variant(folders, tuple(dict.fromkeys(name for one in chosen for name in (NEEDS.get(one, one), one))))
