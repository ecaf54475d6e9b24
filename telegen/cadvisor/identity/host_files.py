"""Small files that runtimes keep on the host: read below the host's root, with every failure counted."""

from __future__ import annotations

import errno
import os
from collections import Counter
from typing import NamedTuple, Optional

from telegen.cadvisor.rooted import open_below, resolve_below

MAX_BYTES = 4 << 20
"""Maximum size of a file in bytes. A config.json has about 10,000, the list of a containers/storage about 100,000."""

USER_BYTES = 1 << 20
"""Maximum size of JSON that a user wrote, in bytes: parsed, it can take 30 times as much memory."""

_ABSENT = (errno.ENOENT, errno.ENOTDIR)


class UserFolder(NamedTuple):
    """Folder of a user who runs containers of their own, and who can put links there.

    Attributes:
        path: path on the host.
        uid: the user.
    """

    path: str
    uid: int


class HostFiles:
    """Reader of the host's files by their path on the host. Not safe for threads.

    Attributes:
        root: the host's `/` as this process sees it.
        errors: errors by reason: `malformed`, `too_large`, `foreign`, or the name of an errno.
    """

    def __init__(self, root: str) -> None:
        """`root`: the host's `/` as this process sees it."""
        self.root = root
        self.errors: Counter[str] = Counter()

    def read(self, path: str, user: Optional[UserFolder] = None, limit: Optional[int] = None) -> Optional[bytes]:
        """Read a whole file; None if it is absent, too large or unreadable. The latter two are counted.

        Args:
            user: the file must be in this folder or belong to the user, wherever links lead.
            limit: maximum size in bytes; by default USER_BYTES for a user, else MAX_BYTES.
        """
        limit = limit or (USER_BYTES if user else MAX_BYTES)
        file = self.open_file(path, user)
        if file is None:
            return None
        try:
            with open(file, "rb") as opened:
                content = opened.read(limit + 1)
        except OSError as error:
            self.count(error)
            return None
        if len(content) > limit:
            self.errors["too_large"] += 1
            return None
        return content

    def open_file(self, path: str, user: Optional[UserFolder] = None) -> Optional[int]:
        """Return a descriptor of a regular file; None if it is absent, unreadable or foreign. The latter two are counted.

        Args:
            user: as for `read`.
        """
        try:
            file, real = open_below(self.root, path)
        except OSError as error:
            self.count(error)
            return None
        if user and os.fstat(file).st_uid != user.uid and not self._is_inside(real, user.path):
            os.close(file)
            self.errors["foreign"] += 1
            return None
        return file

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; none if it is absent or unreadable."""
        try:
            return sorted(os.listdir(resolve_below(self.root, path)))
        except OSError as error:
            self.count(error)
            return []

    def is_folder(self, path: str) -> bool:
        try:
            return os.path.isdir(resolve_below(self.root, path))
        except OSError:
            return False

    def real_path(self, path: str) -> Optional[str]:
        """Return the path of an existing file as this process sees it, without links; None for any other."""
        try:
            return resolve_below(self.root, path)
        except OSError:
            return None

    def _is_inside(self, real: str, folder: str) -> bool:
        found, root = self.real_path(folder), self.root.rstrip("/")
        return found is not None and f"{root}{real}".startswith(f"{found}/")

    def count(self, error: OSError) -> None:
        """Count an error, unless the file is absent."""
        if error.errno not in _ABSENT:
            self.errors[errno.errorcode.get(error.errno or 0, "unknown")] += 1
