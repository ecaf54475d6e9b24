"""Database of podman: labels, health check and restarts of its containers, which no other file has."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple, Optional
from urllib.parse import quote

import orjson

from telegen.cadvisor.identity import boltdb
from telegen.cadvisor.identity.host_files import HostFiles
from telegen.cadvisor.identity.json_access import Values
from telegen.cadvisor.rooted import open_below

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


def database_paths(storage: Iterable[str]) -> list[str]:
    """Return the paths on the host that may be the database.

    Args:
        storage: folders with the list of containers, `GRAPHROOT/overlay-containers`.
    """
    roots = [folder.rpartition("/")[0] for folder in storage]
    return [f"{root}/{name}" for root in roots for name in (*SQLITE, *BOLT)]


def read_record(files: HostFiles, paths: Iterable[str], id: str) -> Optional[Record]:
    """Return the record of a container from the first database that has one; None without any.

    A database that cannot be read is counted in `files.errors`.
    """
    for path in paths:
        real = files.real_path(path)
        if real is None:
            continue
        try:
            texts = _bolt(files.root, path, id) if path.endswith(BOLT) else _sqlite(real, id)
            if texts:
                config, state = (orjson.loads(text) for text in texts)
                if isinstance(config, dict) and isinstance(state, dict):
                    return Record(config, state)
        except ValueError:
            files.errors["malformed"] += 1
        except OSError as error:
            files.count(error)
    return None


def _bolt(root: str, path: str, id: str) -> Optional[tuple[bytes, bytes]]:
    file, _ = open_below(root, path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        config, state = boltdb.read_values(file, (b"ctr", id.encode()), (b"config", b"state"))
    finally:
        os.close(file)
    return None if config is None or state is None else (config, state)


def _sqlite(path: str, id: str) -> Optional[tuple[str, str]]:
    # Imported here: it takes 1 MB, and few hosts run podman.
    import sqlite3

    try:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=TIMEOUT)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.set_progress_handler(lambda: 1, STEPS)
            row = connection.execute(_QUERY, (id,)).fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise ValueError(f"{path}: {error}") from error
    if row is None or not all(isinstance(text, (str, bytes)) for text in row):
        return None
    return row[0], row[1]
