"""Usage and size of file systems. The node's are read in the pass, container layers by `_layers` in a thread."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.classification import Kind
from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.mountinfo import FileSystem, is_below, is_local, mounts, remote_points
from telegen.cadvisor.cgroups.reading import read_file
from telegen.cadvisor.collector import AnyCollector, Collector, Families
from telegen.cadvisor.collectors._layers import LayerScanner, Usage
from telegen.cadvisor.node import Node
from telegen.config.model import Cadvisor

KINDS: frozenset[Kind] = frozenset(("root", "container"))


class DeviceUsage(NamedTuple):
    """Name of a device and the usage of its file system."""

    device: str
    usage: Usage


class FilesystemsReading(NamedTuple):
    """Rows of device and bytes, or number of inodes."""

    usage: list[tuple[str, int]]
    limit: list[tuple[str, int]]
    inodes: list[tuple[str, int]]
    inodes_free: list[tuple[str, int]]


family = Families(FilesystemsReading)

FAMILIES = (
    family.gauge(
        "container_fs_usage_bytes",
        "Bytes in use: of the node per file system (statvfs), of a container in its writable layer.",
        lambda reading: reading.usage,
        "device",
    ),
    family.gauge("container_fs_limit_bytes", "Size of the file system in bytes (statvfs).", lambda reading: reading.limit, "device"),
    family.gauge("container_fs_inodes_total", "Inodes of the file system (statvfs).", lambda reading: reading.inodes, "device"),
    family.gauge(
        "container_fs_inodes_free", "Free inodes of the file system (statvfs).", lambda reading: reading.inodes_free, "device"
    ),
)

_of_containers = re.compile(r"/kubelet/pods/|/io\.containerd\.|/containers/storage/|/docker/|/run/(containerd|docker|user|netns)/").search
"""Mount points of single containers and pods."""


class NodeFileSystems:
    """Mounted file systems of the node. Not safe for threads."""

    def __init__(self, interval: float) -> None:
        """`interval`: seconds between two reads of the mounts."""
        self._interval, self._due = interval, 0.0
        self._shown: dict[str, FileSystem] = {}
        self._names: dict[str, str] = {}

    def usage(self, node: Node) -> tuple[DeviceUsage, ...]:
        """Read the usage of each file system."""
        self._refresh(node)
        found = []
        for name, system in self._shown.items():
            try:
                usage = _usage(node.roots.host_path(system.point), system)
            except PermissionError as error:
                node.count_denied(error)
                continue
            except OSError as error:
                node.count_error(error)
                continue
            if usage:
                found.append(DeviceUsage(name, usage))
        return tuple(found)

    def name(self, node: Node, device: str) -> str:
        """Name of the file system on a device number."""
        self._refresh(node)
        return self._names.get(device) or node.device(device)

    def _refresh(self, node: Node) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self._interval
        try:
            found = list(mounts(read_file(f"{node.roots.proc}/1/mountinfo")))
        except OSError as error:
            node.count_error(error)
            found = []
        self._shown, self._names = {}, {}
        for system in select(found):
            # Some kernels report the root device as /dev/root, which does not exist.
            name = name_of(system) if system.source != "/dev/root" else node.device(system.device)
            # The first mount of a device is shown; bind mounts of the same device follow it.
            self._shown.setdefault(name, system)
            self._names.setdefault(system.device, name)


def make(settings: Cadvisor, groups: frozenset[str]) -> AnyCollector:
    return make_with(settings.housekeeping_interval, LayerScanner(settings.disk_usage_interval))


def make_with(interval: float, scanner: LayerScanner) -> AnyCollector:
    """Return the collector.

    Args:
        interval: seconds between two reads of the mounts.
        scanner: measures the layers of containers.
    """
    systems = NodeFileSystems(interval)

    def read(context: Context) -> Optional[tuple[DeviceUsage, ...]]:
        if context.cgroup.kind == "root":
            # The root is the first cgroup of every pass.
            scanner.begin_pass(context.node)
            return systems.usage(context.node) or None
        layer = scanner.usage(context)
        return None if layer is None else (DeviceUsage(systems.name(context.node, layer.device), layer.usage),)

    return Collector("filesystems", "disk", FAMILIES, read, parse, KINDS)


def parse(raw: tuple[DeviceUsage, ...], context: Context) -> FilesystemsReading:
    # File systems that allocate inodes dynamically (btrfs) report a total of 0: absent.
    return FilesystemsReading(
        usage=[(device, usage.used) for device, usage in raw],
        limit=[(device, usage.size) for device, usage in raw],
        inodes=[(device, usage.inodes) for device, usage in raw if usage.inodes],
        inodes_free=[(device, usage.inodes_free) for device, usage in raw if usage.inodes],
    )


def select(found: Iterable[FileSystem]) -> Iterator[FileSystem]:
    """Select the mounts that are shown: local file systems and tmpfs, except those of single containers."""
    mounted = list(found)
    remote = remote_points(mounted)
    for system in mounted:
        if is_below(system.point, remote):
            continue
        if is_local(system.type) or system.type == "tmpfs" and not _of_containers(f"{system.point}/"):
            yield system
        elif system.type == "overlay" and system.point == "/":
            yield system


def name_of(system: FileSystem) -> str:
    """Return cAdvisor's name: the mount point of a tmpfs, the device number of an overlay, else the source."""
    if system.type == "tmpfs":
        return system.point
    return f"overlay_{system.device.replace(':', '-')}" if system.type == "overlay" else system.source


def _usage(path: str, system: FileSystem) -> Optional[Usage]:
    """Read the usage of a mounted file system; None if another one is mounted at its path, or in this mount namespace.

    Raises:
        OSError: the file system cannot be read.
    """
    device = os.stat(path).st_dev
    # Each subvolume of a btrfs has a device number of its own, which mountinfo does not show.
    if system.type != "btrfs" and f"{os.major(device)}:{os.minor(device)}" != system.device:
        return None
    with suppress(FileNotFoundError):
        state = os.statvfs(path)
        used = (state.f_blocks - state.f_bfree) * state.f_frsize
        return Usage(used, state.f_blocks * state.f_frsize, state.f_files, state.f_ffree)
    return None
