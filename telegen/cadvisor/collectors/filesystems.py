"""Room of file systems: cAdvisor's group `disk`. The node's are asked directly, layers of containers are measured by
`layers` meanwhile."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Optional

from telegen.cadvisor.cgroups.discovery import Kind
from telegen.cadvisor.collector import Context, Node, Raw, Reading, Source, value
from telegen.cadvisor.collectors._layers import Layers, Room
from telegen.cadvisor.collectors._mountinfo import FileSystem, mounts
from telegen.metrics.family import ALPHA, gauge

FAMILIES = (
    gauge(
        "container_fs_usage_bytes",
        "Bytes in use: of the node, by file system; of a container, what it has written to its own layer.",
        ALPHA,
        value("usage"),
        "device",
    ),
    gauge("container_fs_limit_bytes", "Size of the file system.", ALPHA, value("limit"), "device"),
    gauge("container_fs_inodes_total", "Inodes of the file system.", ALPHA, value("inodes"), "device"),
    gauge("container_fs_inodes_free", "Inodes of the file system that are free.", ALPHA, value("inodes_free"), "device"),
)

KINDS: frozenset[Kind] = frozenset(("root", "container"))

_local = re.compile(r"ext[234]|xfs|btrfs|f2fs|bcachefs|jfs|reiserfs|zfs|vfat|exfat|squashfs|erofs").fullmatch
_remote = re.compile(r"nfs.*|cifs|smb.*|ceph|glusterfs|lustre|afs|9p|fuse.*|gfs2|ocfs2|autofs").fullmatch
"""What may wait for another machine. A path that leads through one is not touched: it could stop the sampler."""

_of_containers = re.compile(r"/kubelet/pods/|/io\.containerd\.|/containers/storage/|/docker/|/run/(containerd|docker|user|netns)/").search
"""Where runtimes and the kubelet mount what belongs to single containers and pods."""

Row = tuple[str, Room]
"""A device's name and its room."""


class FileSystems:
    """The file systems of the node. Not safe for threads."""

    def __init__(self, interval: float) -> None:
        """`interval`: seconds between two looks at what is mounted."""
        self._interval, self._due = interval, 0.0
        self._shown: dict[str, FileSystem] = {}
        self._names: dict[str, str] = {}

    def rows(self, node: Node) -> tuple[Row, ...]:
        """Each file system's room now."""
        self._refresh(node)
        rows = []
        for name, system in self._shown.items():
            try:
                room = _room(f"{node.roots.host.rstrip('/')}{system.point}", system)
            except PermissionError as error:
                node.refuse(error)
                continue
            except OSError as error:
                node.count(error)
                continue
            if room:
                rows.append((name, room))
        return tuple(rows)

    def name(self, node: Node, device: str) -> str:
        """What the file system of a device's number is called on the node."""
        self._refresh(node)
        return self._names.get(device) or node.device(device)

    def _refresh(self, node: Node) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self._interval
        try:
            with open(f"{node.roots.proc}/1/mountinfo", "rb") as file:
                found = list(mounts(file.read()))
        except OSError as error:
            node.count(error)
            found = []
        self._shown, self._names = {}, {}
        for system in shown(found):
            # Some kernels call the root's device /dev/root, which is no name.
            name = name_of(system) if system.source != "/dev/root" else node.device(system.device)
            self._shown.setdefault(name, system)
            self._names.setdefault(system.device, name)


def make(interval: float, layers: Layers) -> Source:
    """The source.

    Args:
        interval: seconds between two looks at what is mounted.
        layers: who measures the layers of containers.
    """
    systems = FileSystems(interval)

    def read(context: Context) -> Raw:
        if context.cgroup.kind == "root":
            layers.begin(context.node)
            return systems.rows(context.node) or None
        found = layers.room(context)
        return None if found is None else ((systems.name(context.node, found[0]), found[1]),)

    return Source("filesystems", "disk", FAMILIES, read, parse, KINDS)


def parse(raw: tuple[Row, ...], context: Context) -> Reading:
    """Rows of device and bytes, or of device and inodes. File systems without a fixed number of inodes say 0: absent."""
    return {
        "usage": [(name, room.usage) for name, room in raw],
        "limit": [(name, room.limit) for name, room in raw],
        "inodes": [(name, room.inodes) for name, room in raw if room.inodes],
        "inodes_free": [(name, room.inodes_free) for name, room in raw if room.inodes],
    }


def shown(found: Iterable[FileSystem]) -> Iterator[FileSystem]:
    """What is shown of the mounts of the node: local file systems and what is in memory, without those of containers."""
    remote: list[str] = []
    for system in found:
        if any(system.point.startswith(f"{point}/") for point in remote):
            continue
        if _remote(system.type):
            remote.append(system.point)
        elif _local(system.type) or system.type == "tmpfs" and not _of_containers(f"{system.point}/"):
            yield system
        elif system.type == "overlay" and system.point == "/":
            yield system


def name_of(system: FileSystem) -> str:
    """cAdvisor's names: the source; for what is in memory its place, for an overlay its number."""
    if system.type == "tmpfs":
        return system.point
    return f"overlay_{system.device.replace(':', '-')}" if system.type == "overlay" else system.source


def _room(path: str, system: FileSystem) -> Optional[Room]:
    """The room of a mounted file system; None when another one is at its place by now, or for this process.

    Raises:
        OSError: it cannot be asked.
    """
    device = os.stat(path).st_dev
    # Each subvolume of a btrfs has a number of its own.
    if system.type != "btrfs" and f"{os.major(device)}:{os.minor(device)}" != system.device:
        return None
    with suppress(FileNotFoundError):
        state = os.statvfs(path)
        used = (state.f_blocks - state.f_bfree) * state.f_frsize
        return Room(used, state.f_blocks * state.f_frsize, state.f_files, state.f_ffree)
    return None
