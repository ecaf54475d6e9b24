"""Registry of the watched resources. Register a resource with one line in `NAMES`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from telegen.config.model import KubeState
from telegen.kubestate.resource import Resource

NAMES = (
    "certificatesigningrequests",
    "clusterrolebindings",
    "clusterroles",
    "configmaps",
    "cronjobs",
    "daemonsets",
    "deployments",
    "endpoints",
    "endpointslices",
    "horizontalpodautoscalers",
    "ingressclasses",
    "ingresses",
    "jobs",
    "leases",
    "limitranges",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "mutatingwebhookconfigurations",
    "namespaces",
    "networkpolicies",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "poddisruptionbudgets",
    "pods",
    "replicasets",
    "replicationcontrollers",
    "resourcequotas",
    "rolebindings",
    "roles",
    "secrets",
    "serviceaccounts",
    "services",
    "statefulsets",
    "storageclasses",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
    "volumeattachments",
)
"""Modules of `telegen.kubestate.resources`, each named like its resource, in the order of the page: bytewise."""


def _load(name: str) -> Resource:
    # Imported by name: an import statement would list every module a second time.
    resource: Resource = import_module(f"telegen.kubestate.resources.{name}").RESOURCE
    return resource


RESOURCES: Mapping[str, Resource] = {name: _load(name) for name in NAMES}
"""Resources by name, in the order of the page."""

DEFAULT = tuple(name for name, resource in RESOURCES.items() if resource.default)
"""Names of the resources that are watched if the configuration names none."""


def watched_names(state: KubeState) -> list[str]:
    """Return the names of the resources that the settings select, each once."""
    if state.custom_resource_state.only:
        return []
    return [name for name in dict.fromkeys(state.resources or DEFAULT) if name not in state.resources_exclude]
