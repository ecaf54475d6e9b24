"""Folders of a container's runtime, derived from the mounts of the container's first process.

A runtime mounts files of its own into each container (`/etc/hostname` is DATA-ROOT/containers/ID/hostname with Docker), and the
container's root is a folder of its storage driver. Used only for containers that no configured location has, since a container
with the right to mount can change its mounts. Links may not lead out of these folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from telegen.cadvisor.cgroups.mountinfo import FileSystem, option
from telegen.cadvisor.identity.host_files import HostFiles
from telegen.cadvisor.identity.runtime_folders import Location, docker_locations, storage_locations

NO_USER = -1
"""Uid that no file has: files count only inside the folder."""

_docker_file = re.compile(r"(.+)/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf)").fullmatch
_storage_file = re.compile(r"(.+)/[a-z0-9-]+-containers/[0-9a-f]{64}/userdata/.+").fullmatch
_layer = re.compile(r"(.+?)/(?:overlay2|overlay|vfs/dir|btrfs/subvolumes|zfs/graph)/[^/]+(?:/[^/]+)?").fullmatch
"""A container's root: of the drivers overlay2 (Docker), overlay (containers/storage, fuse-overlayfs), vfs, btrfs and zfs."""


def find_mount_locations(files: HostFiles, mounts: Sequence[FileSystem], host: Sequence[FileSystem]) -> list[Location]:
    """Return the locations that a container's mounts lead to.

    Args:
        mounts: of the container's first process.
        host: of the host's first process.
    """
    roots = list(dict.fromkeys(_roots(mounts, host)))
    found = [location for root in roots for location in docker_locations(files, root, NO_USER)]
    return [location for location in [*found, *storage_locations(files, tuple(roots), NO_USER)] if files.is_folder(location.folder)]


def _roots(mounts: Sequence[FileSystem], host: Sequence[FileSystem]) -> Iterator[str]:
    """Yield the data-roots, runroots and graphroots that the mounts suggest."""
    for mount in mounts:
        paths = [host_path(mount, host)]
        if mount.point == "/" and mount.type == "overlay":
            # Layers are named as the runtime sees them, in its own mount namespace, which is the host's.
            paths = [option(mount.options, "upperdir"), *option(mount.options, "lowerdir").split(":")[:1]]
        for path in paths:
            found = _docker_file(path) or _storage_file(path) or (_layer(path) if mount.point == "/" else None)
            if found:
                yield found[1]


def host_path(mount: FileSystem, host: Sequence[FileSystem]) -> str:
    """Return the path on the host of the folder or file that a container has mounted.

    mountinfo gives it below the root of its file system, which the host may have mounted anywhere. Without such a mount the
    path is taken as it is.
    """
    best = ""
    path = mount.root
    for one in host:
        prefix = one.root.rstrip("/")
        if one.device == mount.device and f"{mount.root}/".startswith(f"{prefix}/") and len(prefix) >= len(best):
            best, path = prefix, one.point.rstrip("/") + mount.root[len(prefix) :]
    return path
