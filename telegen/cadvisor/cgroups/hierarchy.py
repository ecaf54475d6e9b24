"""Where each controller's cgroups are mounted: decided per controller, since a hybrid host has some on v1 and some on
v2."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_V2_NAMES = {
    "cpuacct": "",
    "memory": "memory",
    "cpu": "cpu",
    "blkio": "io",
    "pids": "pids",
    "cpuset": "cpuset",
    "hugetlb": "hugetlb",
    "pressure": "",
}
"""Controllers that are read, by their v1 names, to what v2 calls them; "" for what every cgroup of v2 has whatever its
controllers: CPU times and pressure. v1 has no pressure."""

CONTROLLERS = tuple(_V2_NAMES)


@dataclass(frozen=True)
class Mount:
    """The folder below which a controller's cgroups lie, and the version of their files."""

    version: Literal[1, 2]
    path: str


def find_mounts(cgroup_root: str) -> Mapping[str, Mount]:
    """Controller to its mount; a controller that the kernel does not offer is left out.

    Args:
        cgroup_root: `/sys/fs/cgroup` as this process sees it. It is a v2 mount itself, or a folder of v1 mounts, in
        which `unified` is v2.
    """
    if _is_v2(cgroup_root):
        return {controller: Mount(2, cgroup_root) for controller in CONTROLLERS}
    unified = os.path.join(cgroup_root, "unified")
    mounts = {}
    for controller in CONTROLLERS:
        path = _v1_path(cgroup_root, controller)
        if path:
            mounts[controller] = Mount(1, path)
        elif _is_v2(unified) and (_V2_NAMES[controller] or "cpuacct") in ("cpuacct", *_v2_controllers(unified)):
            mounts[controller] = Mount(2, unified)
    return mounts


def _is_v2(path: str) -> bool:
    """Only the v2 filesystem has this file. (`0::` in /proc/PID/cgroup proves nothing: hybrid hosts have it.)"""
    return os.path.exists(os.path.join(path, "cgroup.controllers"))


def _v2_controllers(path: str) -> list[str]:
    try:
        with open(os.path.join(path, "cgroup.controllers"), encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []


def _v1_path(cgroup_root: str, controller: str) -> str:
    """The v1 mount of a controller: its own folder, or one that it shares (`cpu,cpuacct`), with or without links to
    it."""
    try:
        names = os.listdir(cgroup_root)
    except OSError:
        return ""
    for name in sorted(names, key=lambda name: (name != controller, name)):
        path = os.path.join(cgroup_root, name)
        if controller in name.split(",") and os.path.isdir(path):
            return os.path.realpath(path)
    return ""
