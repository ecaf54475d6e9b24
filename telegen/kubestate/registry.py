"""Every resource that something is said of. A new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from telegen.kubestate import deployments, namespaces, nodes, pods
from telegen.kubestate.resource import Resource

_MODULES = (deployments, namespaces, nodes, pods)

RESOURCES: Mapping[str, Resource] = {module.RESOURCE.name: module.RESOURCE for module in _MODULES}
"""By name, in the order of the page: bytewise by name."""

DEFAULT = tuple(name for name, resource in RESOURCES.items() if resource.default)
"""Resources that are watched unless the configuration names others."""
