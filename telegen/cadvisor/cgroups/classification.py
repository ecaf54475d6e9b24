"""Classification of cgroups by path: pods and their containers, containers of other managers, the node's system cgroups.

Below kubepods the place decides: a folder of a QoS class is a pod and a folder of a pod is a container, whatever they are called.
Elsewhere a container is a name that ends with an id, a folder or scope that belongs to a container manager, and nothing that is known
to be a monitor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["root", "slice", "pod", "container", "raw"]


@dataclass(frozen=True)
class Cgroup:
    """One cgroup that is shown.

    Attributes:
        id: path below the mount, `/` for the root.
        kind: `slice` is kubepods or one of its QoS classes; `raw` is a system cgroup, or any other cgroup with `raw_cgroups`.
        pod_uid: uid of the pod's or container's pod, "" outside pods.
        container_id: id of a container, 64 hexadecimal digits with most runtimes; "" for other kinds.
    """

    id: str
    kind: Kind
    pod_uid: str = ""
    container_id: str = ""

    def child_id(self, name: str) -> str:
        """Path of a cgroup directly inside this one."""
        return f"{'' if self.id == '/' else self.id}/{name}"


_KUBEPODS = re.compile(r"(?:.+-)?kubepods(?:-burstable|-besteffort)?(?:\.slice)?").fullmatch
_QOS = ("burstable", "besteffort")
# The systemd driver writes the uid with `_` for `-`, since `-` separates the levels of a slice (systemd.slice(5)). The uid of a
# static pod is a hash, or any text.
_POD_SLICE = re.compile(r"(?:.+-)?kubepods(?:-burstable|-besteffort)?-pod(.+)\.slice").fullmatch
_POD_FOLDER = re.compile(r"pod(.+)").fullmatch
_UUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}").fullmatch
_UNIT = re.compile(r"(?:.*/)?(?:[^/]+\.(?:slice|service|scope|mount|socket|swap)|openrc\.[^/]+)").fullmatch
"""Names of cgroups that systemd or OpenRC manages."""

# `ID`, `RUNTIME-ID.scope` (systemd driver), `SLICE:RUNTIME:ID` (cgroupfs driver), `libpod-payload-ID` (Quadlet).
_WITH_ID = re.compile(r"(?:.*[-_.:])?([0-9a-f]{64})(?:\.scope)?").fullmatch
_NAME = re.compile(
    r"(?:.*:)?(?:(?:cri-containerd|containerd|crio|docker|libpod|nerdctl|runc|crun|kata|machine)[-_]|lxc\.payload\.|systemd-nspawn@)?"
    r"(.+?)(?:\.scope|\.service)?"
).fullmatch
"""Id of a container without 64 hexadecimal digits: its name without the marks of the runtime and of systemd."""

_MONITOR = re.compile(r"(?:.*[-_.:])?conmon(?:[-_.:].*)?|lxc\.(?:monitor|pivot)(?:\..+)?|kata_overhead").fullmatch
"""Helpers that run beside a container: conmon of CRI-O and podman, LXC's monitor, Kata's overhead."""

_MACHINE = re.compile(r"(?:.*/)?(?:machine\.slice/[^/]+\.(?:scope|service)|systemd-nspawn@[^/]+\.service)").fullmatch
_LXC = re.compile(r"(?:.*/)?lxc\.payload[./][^/]+|/lxc/[^/]+").fullmatch
_SCOPE = re.compile(r"/(?!user\.slice/)(?:.+/)?[^/]+\.slice/(?!init\.|session-|run-|snap\.)[^/]+\.scope").fullmatch
"""A scope is made by the program that starts its processes. Not of container managers: init, logind, systemd-run, snap."""

_BARE_ID, _OF_PODMAN = re.compile(r"[0-9a-f]{64}").fullmatch, re.compile(r"libpod-[0-9a-f]{64}").fullmatch

_GROUP = re.compile(r"/ecs/[^/]+|/[^/]+/buildkit|/libpod_parent/[0-9a-f]{64}").fullmatch
"""Cgroups between a manager's own and its containers: the task of ECS, BuildKit in Docker, podman's pod."""
_TOP_FOLDER = re.compile(r"/[^/]+").fullmatch

_SYSTEM = re.compile(
    r"/(?:system|runtime|podruntime|kube|container-runtime|(?:system|kube|kubelet)-reserved)(?:\.slice)?|/kubelet"
    r"|/(?:system|runtime|podruntime|container-runtime)/[^/]+"
    r"|/(?:.+/)?(?:kubelet|containerd|crio|cri-o|docker|cri-docker|cri-dockerd|k3s|k3s-agent|rke2-server|rke2-agent|k0sworker"
    r"|k0scontroller|snap\..+(?:kubelet|kubelite|containerd|dockerd))\.service"
).fullmatch
"""Cgroups of the system, the kubelet and the container runtime, by the names that distributions of Kubernetes give them."""


def classify(name: str, parent: Cgroup) -> Cgroup | None:
    """Classify a cgroup by its name and its nearest ancestor; None for a cgroup that is not shown by default.

    Args:
        parent: the cgroup around it. For one that is not shown itself, its path with the kind of its nearest shown ancestor.
    """
    if parent.kind == "container" or is_monitor(name):
        return None
    id = parent.child_id(name)
    if parent.kind == "pod":
        return Cgroup(id, "container", parent.pod_uid, container_id(name))
    if _KUBEPODS(name) or (parent.kind == "slice" and name in _QOS):
        return Cgroup(id, "slice")
    uid = _pod_uid(name, is_anywhere=parent.kind != "slice")
    if uid:
        return Cgroup(id, "pod", uid)
    if not _GROUP(id) and (_WITH_ID(name) or _MACHINE(id) or _LXC(id) or (_SCOPE(id) and parent.kind != "slice")):
        return Cgroup(id, "container", parent.pod_uid, container_id(name))
    return Cgroup(id, "raw") if _SYSTEM(id) else None


def is_managed(name: str, parent: Cgroup) -> bool:
    """True for a cgroup that a container manager without known names may have made: a folder in one that is no unit of systemd.

    Examples: `/default/redis` of ctr, `/garden/ID`, `/docker/buildkit`.
    """
    is_folder = parent.kind in ("root", "raw") and not _UNIT(name) and not _UNIT(parent.id) and parent.id != "/user"
    return is_folder and bool(_TOP_FOLDER(parent.id) or _GROUP(parent.id)) and not is_monitor(name) and not _SYSTEM(parent.child_id(name))


def is_group(id: str) -> bool:
    """True for a cgroup that only contains those of containers."""
    return bool(_GROUP(id))


def may_be_pod(name: str, cgroup: Cgroup) -> bool:
    """True for a container outside pods that may be a pod of podman: both are named by their id alone (cgroupfs driver)."""
    return cgroup.kind == "container" and not cgroup.pod_uid and bool(_BARE_ID(name))


def is_of_podman(name: str) -> bool:
    """True for the name of a container of podman (cgroupfs driver)."""
    return bool(_OF_PODMAN(name))


def is_monitor(name: str) -> bool:
    """True for a helper that runs beside a container, outside its namespaces."""
    # PERF: to match takes 0.6 us for each cgroup, a quarter of its classification; few names have these words.
    return ("conmon" in name or name.startswith(("lxc.", "kata_"))) and bool(_MONITOR(name))


def container_id(name: str) -> str:
    """Return the id of a container by the name of its cgroup: 64 hexadecimal digits, or the name."""
    found = _WITH_ID(name) or _NAME(name)
    # systemd escapes `-` in a part of a unit's name (systemd.unit(5)).
    return found[1].replace("\\x2d", "-") if found else name


def _pod_uid(name: str, is_anywhere: bool) -> str:
    """Return the uid of a pod by the name of its cgroup, "" if it is none.

    Args:
        is_anywhere: the cgroup is not below kubepods: only a name of the kubelet's form is a pod.
    """
    found, uid = _POD_SLICE(name), ""
    if found:
        uid = found[1].replace("_", "-")
    elif not _UNIT(name):
        found = _POD_FOLDER(name)
        uid = found[1] if found else ""
    return uid if not is_anywhere or _UUID(uid) else ""
