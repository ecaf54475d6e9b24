"""Podman's database, both kinds, and the state of containers that changes while they run."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from telegen.cadvisor.identity import boltdb
from telegen.cadvisor.identity.boltdb import read_values
from telegen.cadvisor.identity.bundles import Bundles
from telegen.cadvisor.identity.host_files import USER_BYTES
from telegen.cadvisor.identity.oci import Bundle
from tests.cadvisor.boltdb_writer import PAGE, write_database
from tests.cadvisor.test_bundles import ID, LIBPOD, put

GRAPH, RUN = "var/lib/containers/storage", "run/containers/storage"
Records = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]
CHECK = {"Test": ["CMD", "true"]}


def bolt(root: Path, records: Records) -> None:
    """A database as of podman 4."""
    rows = {
        id.encode(): {b"config": json.dumps(config).encode(), b"state": json.dumps(state).encode()}
        for id, (config, state) in records.items()
    }
    write_database(root / GRAPH / "libpod/bolt_state.db", {b"ctr": rows, b"id-registry": {b"x": b"y"}})


def sqlite(root: Path, records: Records) -> None:
    """A database as of podman 5."""
    path = root / GRAPH / "db.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE ContainerConfig (ID TEXT PRIMARY KEY, Name TEXT, PodID TEXT, JSON TEXT)")
    database.execute("CREATE TABLE ContainerState (ID TEXT PRIMARY KEY, State INTEGER, ExitCode INTEGER, JSON TEXT)")
    for id, (config, state) in records.items():
        database.execute("INSERT INTO ContainerConfig VALUES (?, ?, NULL, ?)", (id, config.get("name", ""), json.dumps(config)))
        database.execute("INSERT INTO ContainerState VALUES (?, 3, 0, ?)", (id, json.dumps(state)))
    database.commit()
    database.close()


@pytest.fixture(params=[bolt, sqlite], ids=lambda kind: kind.__name__)
def write(request: pytest.FixtureRequest) -> Callable[[Path, Records], None]:
    """The writer of each kind of database."""
    return request.param  # type: ignore[no-any-return]


def podman(root: Path) -> Bundles:
    """Bundles of a host with one container of podman, with all its labels and variables."""
    put(root, f"{GRAPH}/overlay-containers/{ID}/userdata/config.json", LIBPOD)
    put(root, f"{RUN}/overlay-containers/{ID}/userdata/hostname", "x")
    return Bundles(str(root), labels=lambda key: True, env=lambda key: True)


def test_record(tmp_path: Path, write: Callable[[Path, Records], None]) -> None:
    """Name, image, labels, health check and restarts of one container among many."""
    others = {f"{number:064x}": ({"labels": {"n": str(number)}, "name": f"c{number}"}, {}) for number in range(40)}
    config = {"name": "web", "rootfsImageName": "shop/web:1", "labels": {"team": "red", "odd": 7}, "healthcheck": CHECK}
    write(tmp_path, {**others, ID: ({**config, "filler": "x" * 9000}, {"restartCount": 3})})
    assert podman(tmp_path).find(ID) == Bundle(
        "podman", "web", "shop/web:1", labels={"team": "red", "restartcount": "3"}, health=0, restarts=3
    )


def test_container_that_the_database_lacks(tmp_path: Path, write: Callable[[Path, Records], None]) -> None:
    """A container without a record is known, and its health and restarts are not."""
    write(tmp_path, {"ff" * 32: ({}, {})})
    bundles = podman(tmp_path)
    assert bundles.find(ID) == Bundle("podman", ID) and not bundles.errors


@pytest.mark.parametrize("kind", ["libpod/bolt_state.db", "db.sql"])
@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 20_000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_broken_database(tmp_path: Path, kind: str, content: bytes) -> None:
    """A broken database is counted, and the container is known by its other files."""
    (tmp_path / GRAPH / kind).parent.mkdir(parents=True)
    (tmp_path / GRAPH / kind).write_bytes(content)
    bundles = podman(tmp_path)
    assert bundles.find(ID) == Bundle("podman", ID)
    assert bundles.errors == {"malformed": 1}


def test_view_in_place_of_a_table(tmp_path: Path) -> None:
    """A query of a user's own database that would run for ever is given up."""
    sqlite(tmp_path, {})
    database = sqlite3.connect(tmp_path / GRAPH / "db.sql")
    database.execute("DROP TABLE ContainerConfig")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS ID, i AS JSON FROM n"
    database.execute(f"CREATE VIEW ContainerConfig AS {endless}")
    database.execute("INSERT INTO ContainerState VALUES ('x', 3, 0, '{}')")
    database.commit()
    database.close()
    bundles = podman(tmp_path)
    found = bundles.find(ID)
    assert found and found.name == ID and set(bundles.errors) <= {"malformed"}


HOME = "home/ann/.local/share/containers/storage"


def rootless(root: Path) -> Bundles:
    """Bundles of a host with one container of a user's podman."""
    put(root, "etc/passwd", "ann:x:1000:1000::/home/ann:/bin/bash\n")
    put(root, f"{HOME}/overlay-containers/{ID}/userdata/config.json", LIBPOD)
    return Bundles(str(root), labels=lambda key: True)


def test_database_of_a_user(tmp_path: Path) -> None:
    """A user's own database is read, and again when it changes."""
    bundles = rootless(tmp_path)
    for restarts in (1, 22):
        sqlite(tmp_path, {ID: ({"name": "web", "labels": {"team": "red"}}, {"restartCount": restarts})})
        (tmp_path / GRAPH / "db.sql").replace(tmp_path / HOME / "db.sql")
        found = bundles.refreshed(ID) or bundles.find(ID)
        assert found and (found.name, found.labels["team"], found.restarts) == ("web", "red", restarts)
    assert not bundles.errors


@pytest.mark.parametrize("kind", ["libpod/bolt_state.db", "db.sql"])
def test_database_of_a_user_that_is_a_link(tmp_path: Path, kind: str) -> None:
    """A user's link to the database of another user is not followed."""
    writer = sqlite if kind == "db.sql" else bolt
    writer(tmp_path, {ID: ({"name": "theirs", "labels": {"secret": "x"}}, {})})
    bundles = rootless(tmp_path)
    (tmp_path / HOME / kind).parent.mkdir(exist_ok=True)
    (tmp_path / HOME / kind).symlink_to(f"/{GRAPH}/{kind}")
    assert bundles.find(ID) == Bundle("podman", ID)
    assert bundles.errors == {"foreign": 1}


@pytest.mark.parametrize("kind", ["libpod/bolt_state.db", "db.sql"])
def test_database_of_a_user_that_is_a_pipe(tmp_path: Path, kind: str) -> None:
    """A pipe in place of a user's database does not block the sampler."""
    bundles = rootless(tmp_path)
    (tmp_path / HOME / kind).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / HOME / kind)
    assert bundles.find(ID) == Bundle("podman", ID)
    assert bundles.errors == {"EISDIR": 1}


@pytest.mark.parametrize("kind", ["libpod/bolt_state.db", "db.sql"])
def test_huge_record_of_a_user(tmp_path: Path, kind: str) -> None:
    """A record of more than 1 MB is not parsed: it could take 30 times as much memory."""
    writer = sqlite if kind == "db.sql" else bolt
    writer(tmp_path, {ID: ({"name": "web", "filler": "x" * 2 * USER_BYTES}, {})})
    bundles = rootless(tmp_path)
    (tmp_path / HOME / kind).parent.mkdir(exist_ok=True)
    (tmp_path / GRAPH / kind).rename(tmp_path / HOME / kind)
    assert bundles.find(ID) == Bundle("podman", ID)
    assert bundles.errors == {"malformed": 1}


def test_huge_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is found by bisection: of the 6,667 on a page few are compared."""
    path = tmp_path / "bolt.db"
    write_database(path, {b"ctr": {b"%05d" % number: {b"k": b"v"} for number in range(20_000)}})
    compared: list[int] = []
    for name in ("_BRANCH", "_LEAF"):
        known = getattr(boltdb, name)

        def unpack(page: bytes, at: int, known: struct.Struct = known) -> tuple[int, ...]:
            compared.append(at)
            return known.unpack_from(page, at)

        monkeypatch.setattr(boltdb, name, SimpleNamespace(size=known.size, unpack_from=unpack))
    file = os.open(path, os.O_RDONLY)
    assert read_values(file, (b"ctr", b"19999"), (b"k", b"no")) == [b"v", None]
    os.close(file)
    assert len(compared) < 200


def test_page_that_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction during the read makes the value be read again from the new state."""
    path = tmp_path / "bolt.db"
    write_database(path, {b"ctr": {b"id": {b"config": b"old", b"state": b"{}"}}})
    file = os.open(path, os.O_RDONLY)
    read, calls = os.pread, []

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        calls.append(offset)
        if len(calls) == 4:
            write_database(path, {b"ctr": {b"id": {b"config": b"new", b"state": b"{}"}}}, transaction=9)
        return read(descriptor, size, offset)

    monkeypatch.setattr("telegen.cadvisor.identity.boltdb.os.pread", pread)
    assert read_values(file, (b"ctr", b"id"), (b"config",)) == [b"new"]
    os.close(file)


def test_circle_of_pages(tmp_path: Path) -> None:
    """A branch page that leads to itself is an error."""
    path = tmp_path / "bolt.db"
    write_database(path, {bytes([65 + number]) * 8: {b"k": b"v"} for number in range(9)})
    content = bytearray(path.read_bytes())
    branch = next(at for at in range(0, len(content), PAGE) if content[at + 8] == 1)
    for element in range(3):
        content[branch + 16 + 16 * element + 8 : branch + 32 + 16 * element] = (branch // PAGE).to_bytes(8, "little")
    path.write_bytes(content)
    file = os.open(path, os.O_RDONLY)
    with pytest.raises(ValueError, match="bbolt"):
        read_values(file, (b"A" * 8,), (b"k",))
    os.close(file)


@pytest.mark.parametrize(
    ("log", "health"),
    [
        ('{"Status":"healthy","FailingStreak":0,"Log":[]}', 1),
        ('{"status":"healthy"}', 1),
        ('{"Status":"unhealthy"}', 0),
        ('{"Status":"stopped"}', 0),
        ("{}", 0),
    ],
)
def test_health_changes(tmp_path: Path, log: str, health: int) -> None:
    """A health check starts, then has the result of podman's log, as soon as the log changes; a half-written log changes nothing."""
    bolt(tmp_path, {ID: ({"healthcheck": CHECK}, {})})
    bundles = podman(tmp_path)
    found = bundles.find(ID)
    assert found and found.health == 0 and bundles.refreshed(ID) is None
    put(tmp_path, f"{RUN}/overlay-containers/{ID}/healthcheck.log", log[:-1])
    assert bundles.refreshed(ID) is None and bundles.errors == {"malformed": 1}
    put(tmp_path, f"{RUN}/overlay-containers/{ID}/healthcheck.log", log)
    changed = bundles.refreshed(ID)
    assert (changed.health if changed else 0) == health
    assert bundles.refreshed(ID) is None


def test_no_health_check(tmp_path: Path) -> None:
    """A container without a health check, or with a disabled one, has cAdvisor's -1."""
    for check in (None, {}, {"Test": ["NONE"]}):
        bolt(tmp_path, {ID: ({"healthcheck": check}, {})})
        found = podman(tmp_path).find(ID)
        assert found and found.health == -1 and found.restarts == 0


def docker(restarts: int, health: str, name: str = "/web") -> str:
    """Content of config.v2.json."""
    return json.dumps({"Name": name, "RestartCount": restarts, "State": {"Health": {"Status": health}}, "Config": {"Image": "web:1"}})


def test_docker_changes(tmp_path: Path) -> None:
    """Health, restarts and name of a container of Docker are those of its file, which is read again only when it changes."""
    path = f"var/lib/docker/containers/{ID}/config.v2.json"
    put(tmp_path, path, docker(0, "starting"))
    bundles = Bundles(str(tmp_path))
    found = bundles.find(ID)
    assert found and (found.name, found.health, found.restarts) == ("web", 0, 0)
    assert bundles.refreshed(ID) is None
    put(tmp_path, path, docker(12, "healthy", "/renamed"))
    changed = bundles.refreshed(ID)
    assert changed and (changed.name, changed.health, changed.restarts) == ("renamed", 1, 12)
    assert bundles.find(ID) is changed
    (tmp_path / path).unlink()
    assert bundles.refreshed(ID) is None and bundles.find(ID) is changed
