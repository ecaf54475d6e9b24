"""Detection of changes of a file by polling."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from telegen.config.document import read_regular

MAX_BYTES = 16 << 20
"""Maximum of bytes that are compared; a file above it counts as unreadable."""


class WatchedFile:
    """A file that may be replaced at any time by a rename or through a symbolic link, as in ConfigMap volumes.

    Args:
        path: None for no file, which never changes.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._stat = self._identity()
        self._digest = self._read()

    def changed(self) -> bool:
        """Return True if the content differs from the last call. A missing file has not changed: it may be in replacement."""
        stat = self._identity()
        if stat == self._stat or stat is None:
            return False
        self._stat = stat
        # A kubelet rewrites files without changing them; only other content is worth a reload.
        before, self._digest = self._digest, self._read()
        return self._digest != before

    def _identity(self) -> tuple[int, int, int] | None:
        """Return modification time, inode and size, None if there is no file."""
        if self._path is None:
            return None
        try:
            stat = os.stat(self._path)
        except (OSError, ValueError):
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _read(self) -> bytes:
        if self._path is None:
            return b""
        try:
            return hashlib.sha256(read_regular(self._path, MAX_BYTES)).digest()
        except (OSError, ValueError) as error:
            # Unreadable in another way is a change as well; the reload reports it.
            return str(error).encode()


class WatchedFiles:
    """Files of which some may appear and vanish.

    Args:
        paths: returns the paths of the files that are there now.
    """

    def __init__(self, paths: Callable[[], tuple[str, ...]]) -> None:
        self._paths = paths
        self._files = {path: WatchedFile(path) for path in paths()}

    def changed(self) -> bool:
        """Return True if the content of a file, or the set of the files, differs from the last call."""
        paths = self._paths()
        is_other = set(paths) != set(self._files)
        # Every file is looked at, so that one change is reported once.
        is_changed = [file.changed() for file in self._files.values()]
        if is_other:
            self._files = {path: self._files.get(path) or WatchedFile(path) for path in paths}
        return is_other or any(is_changed)
