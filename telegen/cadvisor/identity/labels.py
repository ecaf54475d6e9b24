"""The labels that every container_* series begins with, and what gives them their values."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from telegen.cadvisor.cgroups.discovery import Cgroup
from telegen.config.model import Cadvisor

BASE = ("container", "id", "image", "name", "namespace", "pod")
"""As the kubelet has them: always all, empty when unknown."""


class Labels(Protocol):
    """Who knows what a cgroup is called."""

    names: tuple[str, ...]
    """BASE, then the optional stamps. Another tuple when there are more, from the beginning of a pass on."""

    def begin(self, cgroups: Collection[Cgroup]) -> None:
        """A new pass, over these cgroups."""

    def labels(self, cgroup: Cgroup) -> tuple[str, ...]:
        """A value for each of `names`; the same tuple as long as nothing has changed."""


class PathLabels:
    """What the path alone says: the id, and for containers the runtime's id as name."""

    names: tuple[str, ...] = BASE

    def begin(self, cgroups: Collection[Cgroup]) -> None:
        """Paths say the same at every pass."""

    def labels(self, cgroup: Cgroup) -> tuple[str, ...]:
        """See `Labels`."""
        return ("", cgroup.id, "", cgroup.container_id, "", "")


def namespace_filter(settings: Cadvisor) -> Callable[[Cgroup, tuple[str, ...]], bool]:
    """Whether a cgroup with these values of its labels is to be shown. What is above pods belongs to no namespace and is
    shown always."""
    wanted, unwanted = frozenset(settings.namespaces), frozenset(settings.namespaces_exclude)
    place = BASE.index("namespace")

    def shown(cgroup: Cgroup, values: tuple[str, ...]) -> bool:
        if cgroup.kind in ("root", "slice"):
            return True
        return (not wanted or values[place] in wanted) and values[place] not in unwanted

    return shown
