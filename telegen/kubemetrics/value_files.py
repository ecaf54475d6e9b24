"""Files in which prometheus_client keeps the values of the agent's own metrics, and their folder.

All processes map the files. Writing to a mapped page that the file system cannot allocate ends the process by SIGBUS, so the
space of a file is allocated before it is mapped: /dev/shm may be full, or as small as a container sets it.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.mmap_dict import MmapedDict

ROOM = 4 << 20
"""Bytes that a file system must have for the files: 5 files for each of a dozen processes, most of 16 KiB."""
_SHM = Path("/dev/shm")
_FILE_SIZE = 1 << 14
"""Bytes of a new file, all allocated; most files stay below. prometheus_client makes sparse files of 64 KiB."""
_MEMORY_SIZE = 64 << 20
"""Bytes of the memory that replaces a file. The kernel allocates only the pages that are used."""
_ENTRY = 32
"""Bytes of an entry besides its key: length, padding, value and time."""
_PREFIX = "telegen-telemetry-"
_LOCK = "lock"
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus_client with the path of the folder."""
WEB = "web"
"""Folder in the folder, for the files of web processes."""

log = logging.getLogger("telegen.telemetry")


def make_folder() -> str:
    """Create a folder for the value files, and remove folders of agents that were killed.

    The folder is in /dev/shm, or in the temporary directory if /dev/shm cannot be written or has no room.

    Returns:
        The path, which is also put into the environment for prometheus_client.

    Raises:
        OSError: no folder is writable, or none has room.
    """
    try:
        folder = _make_folder_in(_SHM) if os.access(_SHM, os.W_OK) else ""
    except OSError as error:
        folder = ""
        log.warning("%s: %s: the agent's own metrics are stored in %s", _SHM, error.strerror, tempfile.gettempdir())
    folder = folder or _make_folder_in(Path(tempfile.gettempdir()))
    os.environ[_VARIABLE] = folder
    return folder


def use_web_folder() -> str:
    """Write the value files of this process and its children to a folder of their own from now on; return its path.

    Web processes run as another user, who must not write where other processes open files.
    """
    folder = os.path.join(os.environ[_VARIABLE], WEB)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.environ[_VARIABLE] = folder
    return folder


def value_files() -> Iterator[Path]:
    """Yield the value files of all processes."""
    folder = Path(os.environ[_VARIABLE])
    base = folder.parent if folder.name == WEB else folder
    yield from base.glob("*.db")
    yield from (base / WEB).glob("*.db")


def _make_folder_in(base: Path) -> str:
    for left in base.glob(f"{_PREFIX}*"):
        if _is_abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base)
    try:
        _check_room(f"{folder}/room")
        # All processes of the agent inherit the lock, so it is held until the last of them has ended. A pid would not do: in a
        # container the pid is always 1, and files outlive a restart of the container.
        fcntl.flock(os.open(f"{folder}/{_LOCK}", os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _check_room(path: str) -> None:
    """Raise OSError if the file system has no room for the files."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, ROOM)
    finally:
        os.close(descriptor)
        os.unlink(path)


def _is_abandoned(folder: Path) -> bool:
    """Return True if no process uses a folder. A folder without a readable lock is new or another user's: return False."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


class ValueFile(MmapedDict):
    """A value file whose space is allocated before it is mapped.

    If there is no space, the values stay in the memory of this process: the page of the agent's own metrics lacks them, but the
    process continues.
    """

    # Attributes of the base class, which has no annotations.
    _f: Any
    _m: mmap.mmap
    _used: int
    _capacity: int
    _positions: dict[str, int]

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        """Open or create a file.

        Args:
            read_mode: only read the file.
        """
        self._path = filename
        try:
            if not read_mode:
                _allocate(filename)
        except OSError as error:
            self._f, self._positions, self._used = None, {}, 8
            self._leave(struct.pack("ii", self._used, 0), error)
        else:
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        """Append an entry; called with the lock held."""
        needed = self._used + len(key.encode()) + _ENTRY
        if self._f is not None and needed > self._capacity:
            try:
                os.posix_fallocate(self._f.fileno(), 0, _doubled(self._capacity, needed))
            except OSError as error:
                self._f.close()
                self._f = None
                self._leave(self._m[: self._used], error)
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _leave(self, content: bytes, error: OSError) -> None:
        """Continue in memory."""
        message = "%s: %s: the agent's own metrics lack new values of this process; make room and restart the agent"
        log.error(message, self._path, error.strerror)
        self._m, self._capacity = mmap.mmap(-1, _MEMORY_SIZE), _MEMORY_SIZE
        self._m[: len(content)] = content


def _allocate(path: str) -> None:
    """Create a file if it is missing, and allocate its pages.

    Raises:
        OSError: the file system is full.
    """
    with open(path, "ab") as file:
        os.posix_fallocate(file.fileno(), 0, max(_FILE_SIZE, os.fstat(file.fileno()).st_size))


def _doubled(capacity: int, needed: int) -> int:
    """Return the capacity that prometheus_client chooses for a file that grows."""
    while capacity < needed:
        capacity *= 2
    return capacity
