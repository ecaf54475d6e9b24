"""Lists of containers that containers/storage keeps: the names and images of podman's containers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple, Optional

from telegen.cadvisor.identity.host_files import HostFiles, UserFolder
from telegen.cadvisor.identity.oci import parse_storage

NAMES = ("containers.json", "volatile-containers.json")
"""The second has the containers that are removed when they end (`podman run --rm`)."""


class _List(NamedTuple):
    """State of a file, and its content: id to (name, image)."""

    state: tuple[int, int, int]
    containers: dict[str, tuple[str, str]]


class StorageLists:
    """Cache of the lists; each is read again when it has changed. Not safe for threads."""

    def __init__(self, files: HostFiles) -> None:
        self._files = files
        self._lists: dict[str, _List] = {}

    def find(self, id: str, folders: Iterable[str], uid: Optional[int]) -> Optional[tuple[str, str]]:
        """Return name and image of a container from the lists in some folders; None if none has it.

        Args:
            uid: user whose folders they are; None for root's.
        """
        for folder in folders:
            user = None if uid is None else UserFolder(folder, uid)
            for name in NAMES:
                found = self._read(f"{folder}/{name}", user).get(id)
                if found:
                    return found
        return None

    def _read(self, path: str, user: Optional[UserFolder]) -> dict[str, tuple[str, str]]:
        real = self._files.real_path(path)
        if real is None:
            self._lists.pop(path, None)
            return {}
        try:
            status = os.stat(real)
        except OSError:
            return {}
        state = (status.st_ino, status.st_mtime_ns, status.st_size)
        known = self._lists.get(path)
        # A list is replaced by rename, so that a change shows as a new inode, mtime or size.
        if known is None or known.state != state:
            content = self._files.read(path, user)
            try:
                containers = parse_storage(content) if content is not None else {}
            except ValueError:
                self._files.errors["malformed"] += 1
                containers = {}
            known = self._lists[path] = _List(state, containers)
        return known.containers
