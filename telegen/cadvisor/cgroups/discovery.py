"""Which cgroups there are, and what each of them is by its path: the layouts of the kubelet's two drivers and of every
runtime."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["root", "slice", "pod", "container"]

MAX_DEPTH = 16
MAX_CGROUPS = 50_000
"""Bounds of the search: a node has some thousand cgroups, nested a few deep."""

_CONTAINER = re.compile(
    r"(?:.*:)?(?:(?:cri-containerd|containerd|crio|docker|libpod|nerdctl)[-:])?([0-9a-f]{64})(?:\.scope)?"
)
_POD = re.compile(
    r"(?:(?:.+-)?kubepods(?:-burstable|-besteffort)?-)?pod([0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12})(?:\.slice)?"
)
_SLICE = re.compile(r"(?:.+-)?kubepods(?:-burstable|-besteffort)?(?:\.slice)?")


@dataclass(frozen=True)
class Cgroup:
    """One cgroup that is shown.

    Attributes:
        id: path below the mount, `/` for the root.
        kind: what it is: `slice` is kubepods or one of its classes of service.
        pod_uid: of the pod that it is, or is in; a static pod's has no dashes. "" outside pods.
        container_id: 64 hexadecimal digits; "" for what is no container.
    """

    id: str
    kind: Kind
    pod_uid: str = ""
    container_id: str = ""


def classify(name: str, parent: Cgroup) -> Cgroup | None:
    """What a cgroup is by its name and its nearest shown ancestor; None for what is not shown.

    The monitors that CRI-O and podman run beside each container (`crio-conmon-ID.scope`) are none.
    """
    id = f"{'' if parent.id == '/' else parent.id}/{name}"
    container = _CONTAINER.fullmatch(name)
    if container:
        return Cgroup(id, "container", parent.pod_uid, container[1])
    pod = _POD.fullmatch(name)
    if pod:
        return Cgroup(id, "pod", pod[1].replace("_", "-"))
    in_slice = parent.kind == "slice" and name in ("burstable", "besteffort")
    return Cgroup(id, "slice") if in_slice or _SLICE.fullmatch(name) else None


def find_cgroups(mount: str) -> Iterator[Cgroup]:
    """Every cgroup below a mount that is shown. What is nested in a container is the container's own business.

    A folder that vanishes while it is listed is no error: its cgroup has ended.
    """
    root = Cgroup("/", "root")
    yield root
    waiting: list[tuple[str, Cgroup, int]] = [(mount, root, 0)]
    seen = 0
    while waiting:
        path, parent, depth = waiting.pop()
        for name in _folders(path):
            seen += 1
            if seen > MAX_CGROUPS:
                return
            cgroup = classify(name, parent)
            if cgroup:
                yield cgroup
            if depth < MAX_DEPTH and (cgroup is None or cgroup.kind != "container") and not name.endswith(".mount"):
                # A cgroup that is not shown stands between its parent and its children by its path alone.
                inner = cgroup or Cgroup(f"{'' if parent.id == '/' else parent.id}/{name}", parent.kind, parent.pod_uid)
                waiting.append((os.path.join(path, name), inner, depth + 1))


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
