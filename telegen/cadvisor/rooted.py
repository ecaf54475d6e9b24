"""Paths of the host, resolved below the folder at which this process sees the host's `/`.

A symbolic link of the host names a path of the host. The kernel would resolve it in this process's own mount namespace: an
absolute link, or one with `..`, would lead out of the folder. Here it stays below, as with RESOLVE_IN_ROOT of openat2(2), which
older kernels and seccomp profiles do not have.
"""

from __future__ import annotations

import errno
import os
import stat

MAX_LINKS = 40
"""Maximum number of links in one path, as in the kernel (path_resolution(7))."""


def open_below(root: str, path: str) -> tuple[int, str]:
    """Open a regular file of the host for reading.

    Args:
        root: folder at which this process sees the host's `/`.
        path: path on the host.

    Returns:
        the descriptor, and the path on the host without links.

    Raises:
        OSError: the file cannot be opened; EISDIR: it is no regular file.
    """
    folders, names = _walk(root, path)
    try:
        # Before it is opened: opening a device can start it (a watchdog, a tape), and opening a pipe waits for a writer.
        if not stat.S_ISREG(os.fstat(folders[-1]).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        # Through the descriptor, so that it is the file that was resolved, whatever has taken its place since.
        return os.open(f"/proc/self/fd/{folders[-1]}", os.O_RDONLY | os.O_CLOEXEC), "/" + "/".join(names)
    finally:
        for folder in folders:
            os.close(folder)


def resolve_below(root: str, path: str) -> str:
    """Return the path of a host's file as this process sees it, without links.

    Raises:
        OSError: the file does not exist.
    """
    folders, names = _walk(root, path)
    for folder in folders:
        os.close(folder)
    return "/".join((root.rstrip("/"), *names))


def _walk(root: str, path: str) -> tuple[list[int], list[str]]:
    """Open each part of a path; return the descriptors of the root and of each part, and the names of the parts."""
    folders, names = [os.open(root, os.O_PATH | os.O_CLOEXEC)], list[str]()
    pending, links = path.split("/")[::-1], 0
    try:
        while pending:
            name = pending.pop()
            if name in ("", "."):
                continue
            if name == "..":
                # Upwards is where the walk came from, not where the file system would lead.
                if names:
                    names.pop()
                    os.close(folders.pop())
                continue
            part = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folders[-1])
            folders.append(part)
            target = _link_target(part)
            if target is None:
                names.append(name)
                continue
            os.close(folders.pop())
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                while names:
                    names.pop()
                    os.close(folders.pop())
            pending += target.split("/")[::-1]
    except BaseException:
        for folder in folders:
            os.close(folder)
        raise
    return folders, names


def _link_target(part: int) -> str | None:
    """Return the target of a link that is open with O_PATH; None for any other file."""
    try:
        return os.readlink("", dir_fd=part)
    except OSError as error:
        # ENOENT (Linux 6.x) and EINVAL: not a link.
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
        return None
