"""Least privilege of the processes that strangers talk to: no root, no capabilities, no files but the interpreter's."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

import telegen
from telegen.process import landlock

USER = 65532
"""User and group without rights, as in the image."""
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_libc = ctypes.CDLL(None, use_errno=True)

log = logging.getLogger("telegen.confinement")


def _interpreter_folders() -> list[str]:
    """Folders of Python, of its packages, of this package and of shared libraries."""
    paths = sysconfig.get_paths()
    packages = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    own = [str(Path(telegen.__file__).parent), str(Path(telegen.__file__).parents[1] / "workers")]
    return list(dict.fromkeys([*packages, *own, f"{sys.base_prefix}/lib", *_LIBRARIES]))


# Read at the import, before the fork: sysconfig copies a table of 1,000 values.
INTERPRETER_FOLDERS = _interpreter_folders()


def give_to_web_user(folder: str) -> bool:
    """Let `USER` enter and read the parent of a folder, and write the folder; return False if this process may not change owners.

    The parent stays root's: root's processes open files in it, and the owner of a folder could put links into their place.
    """
    try:
        os.chown(folder, USER, USER)
        os.chown(os.path.dirname(folder), -1, USER)
        os.chmod(os.path.dirname(folder), 0o750)
    except OSError as error:
        log.warning("web processes stay root: %s: %s; add the capability CHOWN to the container", folder, error.strerror)
        return False
    return True


def become_web_user() -> None:
    """Change from root to `USER`, for good: no capabilities, no groups. The kernel clears the parent-death signal."""
    for capability in range(64):
        # Fails beyond the last capability of this kernel.
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    try:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
    except OSError as error:
        log.warning("web processes stay root: %s; add the capabilities SETUID and SETGID to the container", error.strerror)


def confine(writable: str) -> None:
    """Give up new privileges, and access to all but the interpreter's folders and one folder; log what the kernel cannot restrict.

    Args:
        writable: folder that may be written; its parent may be read.
    """
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        log.warning("no_new_privs cannot be set: %s", os.strerror(ctypes.get_errno()))
        return
    missing = landlock.missing()
    if missing:
        log.info("web processes: %s", missing)
    try:
        landlock.restrict([*_present(INTERPRETER_FOLDERS), os.path.dirname(writable)], [writable])
    except OSError as error:
        log.warning("web processes can read files that every user may read: %s", error)


def _present(paths: Iterable[str]) -> list[str]:
    """Return the folders that can be opened: a user without rights may not reach an interpreter below /root."""
    return [path for path in paths if os.path.isdir(path)]
