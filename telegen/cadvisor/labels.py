"""The labels that every container_* series begins with, and what gives them their values."""

from __future__ import annotations

from typing import Protocol

from telegen.cadvisor.discovery import Cgroup

BASE = ("container", "id", "image", "name", "namespace", "pod")
"""As the kubelet has them: always all, empty when unknown."""


class Labels(Protocol):
    """Who knows what a cgroup is called."""

    names: tuple[str, ...]
    """BASE, then the optional stamps."""

    def labels(self, cgroup: Cgroup) -> tuple[str, ...]:
        """A value for each of `names`; the same tuple as long as nothing has changed."""


class PathLabels:
    """What the path alone says: the id, and for containers the runtime's id as name."""

    names: tuple[str, ...] = BASE

    def labels(self, cgroup: Cgroup) -> tuple[str, ...]:
        """See `Labels`."""
        return ("", cgroup.id, "", cgroup.container_id, "", "")
