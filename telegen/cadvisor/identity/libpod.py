"""Database of podman: labels, health check and restarts of its containers, which no other file has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple, Optional
from urllib.parse import quote

import orjson

from telegen.cadvisor.identity import boltdb
from telegen.cadvisor.identity.host_files import MAX_BYTES, USER_BYTES, HostFiles, UserFolder
from telegen.process.json_access import Values

SQLITE, BOLT = ("db.sql", "libpod/db.sql"), ("libpod/bolt_state.db",)
"""Databases below a graphroot, or a runroot with a transient store: podman 5 and later, and earlier ones."""

STEPS = 100_000
"""Maximum of steps of SQLite for one query, which takes about 100: a user's own database may be made to run for ever."""

TIMEOUT = 0.1
"""Seconds to wait for a writing podman."""

_QUERY = "SELECT c.JSON, s.JSON FROM ContainerConfig c JOIN ContainerState s ON s.ID = c.ID WHERE c.ID = ?"


class Record(NamedTuple):
    """Configuration and state of a container."""

    config: Values
    state: Values


def database_paths(storage: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (path on the host that may be the database, the graphroot or runroot around it).

    Args:
        storage: folders with the list of containers, `GRAPHROOT/overlay-containers`.
    """
    for root in [folder.rpartition("/")[0] for folder in storage]:
        for name in (*SQLITE, *BOLT):
            yield f"{root}/{name}", root


def read_record(files: HostFiles, storage: Iterable[str], id: str, uid: Optional[int]) -> Optional[Record]:
    """Return the record of a container from the first database that has one; None without any.

    A database that cannot be read is counted in `files.errors`.

    Args:
        storage: as for `database_paths`.
        uid: user whose folders they are; None for root's.
    """
    for path, root in database_paths(storage):
        user = None if uid is None else UserFolder(root, uid)
        try:
            texts = _bolt(files, path, user, id) if path.endswith(BOLT) else _sqlite(files, path, user, id)
            if texts:
                config, state = (orjson.loads(text) for text in texts)
                if isinstance(config, dict) and isinstance(state, dict):
                    return Record(config, state)
        except ValueError:
            files.errors["malformed"] += 1
        except OSError as error:
            files.count(error)
    return None


def _bolt(files: HostFiles, path: str, user: Optional[UserFolder], id: str) -> Optional[tuple[bytes, bytes]]:
    file = files.open_file(path, user)
    if file is None:
        return None
    try:
        config, state = boltdb.read_values(file, (b"ctr", id.encode()), (b"config", b"state"))
    finally:
        os.close(file)
    return None if config is None or state is None else (config, state)


def _sqlite(files: HostFiles, path: str, user: Optional[UserFolder], id: str) -> Optional[tuple[str, str]]:
    # SQLite opens a path without any check: a user could put a pipe or a link there at the last moment. Their database is read
    # as a file; one that is written meanwhile has changed, and is read again in the next pass.
    content = files.read(path, user, MAX_BYTES) if user else None
    real = files.real_path(path)
    if real is None or (user and content is None):
        return None
    # Imported here: it takes 1 MB, and few hosts run podman 5.
    import sqlite3

    try:
        with closing(sqlite3.connect(":memory:" if user else f"file:{quote(real)}?mode=ro", uri=True, timeout=TIMEOUT)) as connection:
            if content:
                connection.deserialize(content)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, USER_BYTES)
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.set_progress_handler(lambda: 1, STEPS)
            row = connection.execute(_QUERY, (id,)).fetchone()
    except sqlite3.Error as error:
        raise ValueError(f"{path}: {error}") from error
    if row is None or not all(isinstance(text, (str, bytes)) for text in row):
        return None
    return row[0], row[1]
