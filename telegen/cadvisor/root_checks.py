"""Checks of the paths at which this process sees the host's file systems."""

from __future__ import annotations

import os
from collections.abc import Iterator

from telegen.cadvisor.cgroups.hierarchy import find_mounts
from telegen.cadvisor.node import Roots

HOST_FOLDERS = ("etc", "run", "usr", "var")
"""Folders of a host's `/`. An immutable system or a partial mount may lack some of them."""


def wrong_roots(roots: Roots, prefix: str = "kube_metrics.cadvisor.") -> list[str]:
    """Return a line for each path that cannot be what its setting says, with the remedy.

    Args:
        prefix: of the names of the settings.
    """
    return [f"{prefix}{setting}: {path}: {reason}; set it to {remedy}" for setting, path, reason, remedy in _wrong(roots)]


def _wrong(roots: Roots) -> Iterator[tuple[str, str, str, str]]:
    """Yield (setting, path, reason, remedy)."""
    if not find_mounts(roots.cgroup):
        reason = _absence(roots.cgroup) or "no cgroup hierarchy"
        yield "cgroup_root", roots.cgroup, reason, "the mount of the host's /sys/fs/cgroup"
    if not os.path.exists(f"{roots.proc}/stat"):
        yield "proc_root", roots.proc, _absence(roots.proc) or "no file stat", "the mount of the host's /proc"
    if not any(os.path.isdir(f"{roots.sys}/{name}") for name in ("devices", "class")):
        yield "sys_root", roots.sys, _absence(roots.sys) or "no folder devices", "the mount of the host's /sys"
    if not any(os.path.isdir(roots.host_path(f"/{name}")) for name in HOST_FOLDERS):
        reason = _absence(roots.host) or f"none of the folders {', '.join(HOST_FOLDERS)}"
        yield "root", roots.host, reason, "the mount of the host's /"


def _absence(path: str) -> str:
    """Return the reason why a path cannot be listed, "" if it can."""
    try:
        os.listdir(path)
    except OSError as error:
        return (error.strerror or "unreadable").lower()
    return ""
