"""Mount point and cgroup version of each controller. A hybrid host has some controllers on v1 and some on v2
(https://docs.kernel.org/admin-guide/cgroup-v2.html#mounting)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
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
"""Controllers by v1 name, with the v2 name. "": CPU time and pressure, which every v2 cgroup has without a controller. v1 has no
pressure."""

CONTROLLERS = tuple(_V2_NAMES)


@dataclass(frozen=True)
class Mount:
    """Cgroup version of a controller, and the folder of its root cgroup."""

    version: Literal[1, 2]
    path: str


def find_mounts(cgroup_root: str) -> Mapping[str, Mount]:
    """Return the mount of each controller that the kernel offers.

    Args:
        cgroup_root: `/sys/fs/cgroup` as this process sees it: a v2 mount, or a folder of v1 mounts with a v2 mount `unified`.
    """
    if _is_v2(cgroup_root):
        return {controller: Mount(2, cgroup_root) for controller in CONTROLLERS}
    unified = os.path.join(cgroup_root, "unified")
    # systemd's hybrid layout mounts v2 at `unified`, usually without controllers: then it has CPU times and pressure only.
    on_v2 = ("", *_v2_controllers(unified)) if _is_v2(unified) else ()
    root = os.path.realpath(cgroup_root)
    names = _names(root)
    mounts = {}
    for controller in CONTROLLERS:
        path = _v1_path(root, names, controller)
        if path:
            mounts[controller] = Mount(1, path)
        elif _V2_NAMES[controller] in on_v2:
            mounts[controller] = Mount(2, unified)
    return mounts


def _is_v2(path: str) -> bool:
    # Only a v2 mount has this file. The line `0::` of /proc/PID/cgroup is no evidence: hybrid hosts have it too.
    return os.path.exists(os.path.join(path, "cgroup.controllers"))


def _v2_controllers(path: str) -> list[str]:
    try:
        with open(os.path.join(path, "cgroup.controllers"), encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []


def _names(path: str) -> list[str]:
    """Names in a folder, sorted; none if it cannot be listed."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def _v1_path(root: str, names: Sequence[str], controller: str) -> str:
    """Path of a controller's v1 mount: a folder of its own, or one shared with others (`cpu,cpuacct`); "" without one.

    Args:
        root: the folder of the mounts, without links.
        names: in it, sorted.
    """
    # A distribution may link `cpu` to `cpu,cpuacct`: the own name first, then resolved to the mount itself.
    for name in (controller, *names):
        path = f"{root}/{name}"
        if controller in name.split(",") and os.path.isdir(path):
            return os.path.realpath(path) if os.path.islink(path) else path
    return ""
