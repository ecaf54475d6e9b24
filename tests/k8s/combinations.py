"""Combinations of folders and components of k8s/ that make sense."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.cluster.kubectl import COMPONENTS, MODES, Variant

NODE_AND_CLUSTER = ("overlays/node", "overlays/cluster")
FOLDERS = (*((mode,) for mode in MODES), NODE_AND_CLUSTER)
"""Folders that users apply together."""
V1, V1BETA2 = "flow-control", "flow-control-v1beta2"
"""Of these two components users take the one that fits their version of Kubernetes."""
ANYWHERE = ("adapter", "auth", "dashboards", "kube-prometheus", "network-policy", "otlp", "prometheus", "prometheus-operator")
RESTRICTED = ("overlays/standalone", "overlays/shards", "overlays/namespaced")
"""Folders whose pods keep the `restricted` profile of Pod Security."""
DAEMONSETS = {"base", "overlays/node"}
PACKS = tuple(name for name in COMPONENTS if name.startswith("pack-"))
OF_THE_ADAPTER = (
    "adapter-resource-metrics",
    "adapter-resource-metrics-v1",
    "adapter-custom-metrics",
    "adapter-external-metrics",
    "adapter-network-policy",
    "adapter-prometheus-operator",
)
"""They come after `adapter`."""
ALIKE = {*OF_THE_ADAPTER, *PACKS} - {"pack-openshift", "pack-vpa"}
"""Combined with all others only, not one by one: they differ in the names of resources, or belong to `adapter`."""
RIGHTS = ("custom-resources-config-maps", "custom-resources-health", "custom-resources-view", "events", *PACKS)
"""They bind the only account of a kustomization, and the part of the agent that serves kube_* needs them."""
OF_THE_CLUSTER = {"auth", "adapter", *OF_THE_ADAPTER, *RIGHTS}
"""They give rights in the whole cluster, which overlays/namespaced does without."""
NEEDS = {"kube-prometheus-stack-drops": "prometheus-operator", "web-tls": "prometheus-operator"}
"""A component, and the one that it changes."""


def namespace(folders: tuple[str, ...]) -> str:
    """Return the component with the namespace of the folders."""
    return "namespace-restricted" if folders[0] in RESTRICTED else "namespace"


def components(folders: tuple[str, ...], flow_control: str = V1) -> tuple[str, ...]:
    """Return the components that fit, in an order in which all can be combined."""
    of_nodes = ("hardened", "openshift") if DAEMONSETS.intersection(folders) else ()
    # The account of a Deployment or StatefulSet has the right.
    secrets = ("secrets",) if folders == ("base",) else ()
    rights = () if "overlays/node" in folders else RIGHTS
    fitting = (namespace(folders), *of_nodes, *secrets, *rights, *ANYWHERE, *NEEDS, *OF_THE_ADAPTER, flow_control)
    return tuple(name for name in fitting if "overlays/namespaced" not in folders or name not in OF_THE_CLUSTER)


def combinations(folders: tuple[str, ...], flow_control: str = V1, most: int = 2) -> Iterator[Variant]:
    """Yield the folders without components, with each one, with each `most` of them, and with all that fit; see ALIKE."""
    fitting = components(folders, flow_control)
    distinct = [name for name in fitting if name not in ALIKE]
    some = (chosen for count in range(most + 1) for chosen in itertools.combinations(distinct, count))
    for chosen in (*some, fitting):
        yield Variant(folders, tuple(dict.fromkeys(name for one in chosen for name in (NEEDS.get(one, one), one))))
