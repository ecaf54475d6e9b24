"""Search for cgroups, and their classification by path: both cgroup drivers of the kubelet, and every runtime."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["root", "slice", "pod", "container"]

MAX_DEPTH = 16
MAX_CGROUPS = 50_000
"""Limits of the search. A node has some thousand cgroups, nested a few levels deep."""

# Names of a container's cgroup: `ID`, `RUNTIME-ID.scope` (systemd driver), `SLICE:RUNTIME:ID` (cgroupfs driver).
_CONTAINER = re.compile(
    r"(?:.*:)?(?:(?:cri-containerd|containerd|crio|docker|libpod|nerdctl)[-:])?([0-9a-f]{64})(?:\.scope)?"
)
# The systemd driver writes the uid with `_` for `-`, since `-` separates the levels of a slice (systemd.slice(5)). The uid of a
# static pod is a hash without dashes.
_POD = re.compile(
    r"(?:(?:.+-)?kubepods(?:-burstable|-besteffort)?-)?pod([0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12})(?:\.slice)?"
)
_SLICE = re.compile(r"(?:.+-)?kubepods(?:-burstable|-besteffort)?(?:\.slice)?")


@dataclass(frozen=True)
class Cgroup:
    """One cgroup that is shown.

    Attributes:
        id: path below the mount, `/` for the root.
        kind: `slice` is kubepods or one of its QoS classes.
        pod_uid: uid of the pod's or container's pod, "" outside pods.
        container_id: 64 hexadecimal digits of a container, "" for other kinds.
    """

    id: str
    kind: Kind
    pod_uid: str = ""
    container_id: str = ""


def classify(name: str, parent: Cgroup) -> Cgroup | None:
    """Classify a cgroup by its name and its nearest shown ancestor; None for a cgroup that is not shown.

    The monitors that CRI-O and podman run beside each container (`crio-conmon-ID.scope`) are not shown.
    """
    id = f"{'' if parent.id == '/' else parent.id}/{name}"
    container = _CONTAINER.fullmatch(name)
    if container:
        return Cgroup(id, "container", parent.pod_uid, container[1])
    pod = _POD.fullmatch(name)
    if pod:
        return Cgroup(id, "pod", pod[1].replace("_", "-"))
    is_qos_class = parent.kind == "slice" and name in ("burstable", "besteffort")
    return Cgroup(id, "slice") if is_qos_class or _SLICE.fullmatch(name) else None


def find_cgroups(mount: str) -> Iterator[Cgroup]:
    """Yield the root and every shown cgroup below a mount. Cgroups nested in a container are not shown.

    A folder that disappears during the search is skipped: its cgroup has ended.
    """
    root = Cgroup("/", "root")
    yield root
    pending: list[tuple[str, Cgroup, int]] = [(mount, root, 0)]
    seen = 0
    while pending:
        path, parent, depth = pending.pop()
        for name in _folders(path):
            seen += 1
            # A runaway tree must not block the sampler; the cgroups found so far are served.
            if seen > MAX_CGROUPS:
                return
            cgroup = classify(name, parent)
            if cgroup:
                yield cgroup
            if depth < MAX_DEPTH and (cgroup is None or cgroup.kind != "container") and not name.endswith(".mount"):
                # A cgroup that is not shown passes kind and pod of its parent on to its children.
                inner = cgroup or Cgroup(f"{'' if parent.id == '/' else parent.id}/{name}", parent.kind, parent.pod_uid)
                pending.append((os.path.join(path, name), inner, depth + 1))


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            # Links are not followed: v1 mounts have some (cpu -> cpu,cpuacct), and one could form a loop.
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
