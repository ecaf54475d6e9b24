"""Whether a file has changed since it was last looked at."""

from __future__ import annotations

import hashlib
import os


class WatchedFile:
    """A file that may be replaced at any time, by rename or through a symbolic link, as ConfigMap volumes do."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._stat = self._look()
        self._digest = self._read()

    def changed(self) -> bool:
        """Whether its content differs from the last time that this was asked. A file that is away for a moment has not
        changed."""
        stat = self._look()
        if stat == self._stat or stat is None:
            return False
        self._stat = stat
        before, self._digest = self._digest, self._read()
        return self._digest != before

    def _look(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            stat = os.stat(self._path)
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _read(self) -> bytes:
        if self._path is None:
            return b""
        try:
            with open(self._path, "rb") as file:
                return hashlib.sha256(file.read()).digest()
        except OSError:
            return b""
