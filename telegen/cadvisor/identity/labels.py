"""Labels that every container_* series begins with, and the filter by namespace."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.config.model import Cadvisor

BASE = ("container", "id", "image", "name", "namespace", "pod")
"""The kubelet's labels. Each is always present, "" if unknown."""


class LabelSource(Protocol):
    """Source of the label values of cgroups.

    Attributes:
        names: BASE, then the optional labels. A pass that adds labels replaces the tuple in `begin_pass`.
    """

    names: tuple[str, ...]

    def begin_pass(self, cgroups: Collection[Cgroup]) -> None:
        """Prepare the labels of these cgroups, which are all of the pass."""

    def labels(self, cgroup: Cgroup) -> tuple[str, ...]:
        """Return a value for each of `names`; the identical tuple as long as no value has changed."""


class PathLabels:
    """Labels from the path alone: the id, and a container's runtime id as its name."""

    names: tuple[str, ...] = BASE

    def begin_pass(self, cgroups: Collection[Cgroup]) -> None:
        """Nothing to prepare."""

    def labels(self, cgroup: Cgroup) -> tuple[str, ...]:
        return ("", cgroup.id, "", cgroup.container_id, "", "")


def namespace_filter(settings: Cadvisor) -> Callable[[Cgroup, tuple[str, ...]], bool]:
    """Return the filter of `namespaces` and `namespaces_exclude`: True for a cgroup that is shown, by its label values.

    The root, slices and raw cgroups belong to no namespace and are always shown.
    """
    included, excluded = frozenset(settings.namespaces), frozenset(settings.namespaces_exclude)
    index = BASE.index("namespace")

    def is_shown(cgroup: Cgroup, values: tuple[str, ...]) -> bool:
        if cgroup.kind in ("root", "slice", "raw"):
            return True
        return (not included or values[index] in included) and values[index] not in excluded

    return is_shown
