"""Landlock (landlock(7)): a process gives up access to files, to the network and to other processes, for itself and its children.

Python has no interface to it, and no library for it is kept up.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from enum import IntFlag

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _RULE_PATH_BENEATH = 1, 1
_O_PATH = getattr(os, "O_PATH", 0o10000000)
_libc = ctypes.CDLL(None, use_errno=True)


class Access(IntFlag):
    """Accesses to files that are used here; the kernel's header has names for all bits."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_FILE = 1 << 5
    MAKE_REG = 1 << 8
    TRUNCATE = 1 << 14


READ = Access.READ_FILE | Access.READ_DIR
WRITE = READ | Access.WRITE_FILE | Access.REMOVE_FILE | Access.MAKE_REG | Access.TRUNCATE

_FILE_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
"""Bits of accesses to files by version; 16 from version 5 on."""
_CONNECTIONS, _SCOPES = 4, 6
"""Versions from which connections, and signals and abstract sockets, are restricted."""


def version() -> int:
    """Version of Landlock; 0 if the kernel has none or was started without it."""
    return max(0, _call(_CREATE_RULESET, None, 0, _VERSION_FLAG))


def missing() -> str:
    """Return what this kernel does not restrict, "" for nothing."""
    found = version()
    if not found:
        return "the kernel has no Landlock, or was started without it: files that every user may read can be read"
    gaps = [(_CONNECTIONS, "connections to other servers"), (_SCOPES, "signals to processes of the same user")]
    lacking = [what for since, what in gaps if found < since]
    return f"Landlock {found} of this kernel does not restrict {' and '.join(lacking)}" if lacking else ""


def restrict(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Give up all access but to these folders; executing files and TCP connections are given up altogether.

    Open files and sockets stay usable. The calling thread must be the only one. Needs PR_SET_NO_NEW_PRIVS.

    Raises:
        OSError: a folder cannot be opened, or the kernel refuses.
    """
    found = version()
    if not found:
        return
    handled = (1 << _FILE_BITS.get(found, 16)) - 1
    attributes = [handled, 3 if found >= _CONNECTIONS else 0, 3 if found >= _SCOPES else 0]
    count = 3 if found >= _SCOPES else 2 if found >= _CONNECTIONS else 1
    ruleset = _checked(_CREATE_RULESET, struct.pack(f"={count}Q", *attributes[:count]), 8 * count, 0)
    try:
        for paths, access in ((readable, READ), (writable, WRITE)):
            for path in paths:
                _allow(ruleset, path, int(access) & handled)
        _checked(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    folder = os.open(path, _O_PATH | os.O_CLOEXEC)
    try:
        _checked(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", access, folder), 0)
    finally:
        os.close(folder)


def _call(number: int, *arguments: int | bytes | None) -> int:
    return int(_libc.syscall(ctypes.c_long(number), *(ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)))


def _checked(number: int, *arguments: int | bytes | None) -> int:
    result = _call(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return result
