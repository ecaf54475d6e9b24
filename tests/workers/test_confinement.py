"""Attempts from inside a confined web process; run on other kernels by tests/cadvisor/vm as well."""

from __future__ import annotations

import ctypes
import logging
import mmap
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from telegen.config import Config
from telegen.kubemetrics.telemetry import Telemetry
from telegen.process import confinement, landlock
from telegen.shm.region import Region
from telegen.shm.writer import ArenaWriter
from telegen.supervisor.inherited import Inherited
from telegen.supervisor.plan import Plan
from workers._base import Assignment, Shared
from workers._web.confinement import confine_arbiter, protect_heartbeats

WATCH, REVIEW, WEB = Assignment("watch-pods", "watch", ("pods",)), Assignment("review", "review"), Assignment("web", "web")
_libc = ctypes.CDLL(None, use_errno=True)
_PR_GET_PDEATHSIG = 2


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    """State of a supervisor with one watched resource, and with reviews of tokens."""
    folder = tmp_path / "values"
    folder.mkdir(mode=0o700)
    # Others may enter what pytest makes for its own user only.
    for path in (tmp_path, *tmp_path.parents):
        if path != Path.home() and not path.stat().st_mode & 0o001:
            path.chmod(0o755)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    plan = Plan("http://server", (WATCH, REVIEW, WEB), "test")
    inherited = Inherited({}, {})
    inherited.make_room(plan, 16 << 20)
    inherited.adopt_statuses(plan)
    made = inherited.shared(Config(), plan)
    yield made
    inherited.keep_arenas(())
    assert made.reviews
    made.reviews.close()


def in_web_process(shared: Shared, attempt: Callable[[], None]) -> None:
    """Run `attempt` in a process as a web process is made: below an arbiter that confines itself."""

    def arbiter(parent: int) -> None:
        confine_arbiter(shared, parent, signal.SIGKILL)
        forked(lambda _: worker())

    def worker() -> None:
        protect_heartbeats(shared)
        attempt()

    forked(arbiter)


def forked(run: Callable[[int], None]) -> None:
    """Run a function of the parent's pid in a child; fail if it raises."""
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        try:
            run(parent)
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def denied(action: Callable[[], Any]) -> None:
    """Expect an action to be denied."""
    with pytest.raises(PermissionError):
        action()


def read(path: object) -> bytes:
    """Read a file."""
    return Path(str(path)).read_bytes()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_landlock = pytest.mark.skipif(landlock.version() == 0, reason="the kernel has no Landlock")


@needs_root
def test_no_root(shared: Shared) -> None:
    """The process is user 65532 without capabilities and groups, cannot become root again, and ends with its parent."""

    def attempt() -> None:
        status = dict(line.split(":\t", 1) for line in STATUS.read_text().splitlines() if ":\t" in line)
        assert status["Uid"].split() == status["Gid"].split() == ["65532"] * 4
        assert {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == dict.fromkeys(
            ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0
        )
        assert status["NoNewPrivs"] == "1"
        denied(lambda: os.setuid(0))
        denied(lambda: os.setgroups([0]))

    # The process itself may not read its status by path: the file is opened before.
    forked_status(shared, attempt)


STATUS = Path("/proc/self/status")


def forked_status(shared: Shared, attempt: Callable[[], None]) -> None:
    """Run an attempt without Landlock, which would hide /proc."""

    def arbiter(parent: int) -> None:
        landlock.version = lambda: 0  # type: ignore[assignment]
        confine_arbiter(shared, parent, signal.SIGKILL)
        number = ctypes.c_int()
        _libc.prctl(_PR_GET_PDEATHSIG, ctypes.byref(number), 0, 0, 0)
        assert number.value == signal.SIGKILL
        forked(lambda _: attempt())

    forked(arbiter)


@needs_root
@needs_landlock
def test_no_files(shared: Shared, tmp_path: Path) -> None:
    """Files of the host, tokens, /proc of others and programs are out of reach, also those that every user may read."""
    token = tmp_path / "token"
    token.write_text("token-of-a-test")
    token.chmod(0o444)
    supervisor = os.getpid()

    def attempt() -> None:
        of_others = [f"/proc/{supervisor}/{name}" for name in ("status", "environ", "cmdline")]
        for path in (token, "/etc/passwd", "/proc/self/environ", "/proc/1/comm", *of_others):
            denied(lambda path=path: read(path))  # type: ignore[misc]
        for folder in ("/", "/etc", "/proc", tmp_path):
            denied(lambda folder=folder: os.listdir(folder))  # type: ignore[misc]
        denied(lambda: os.execv("/bin/true", ["true"]))
        denied(lambda: (tmp_path / "new").touch())

    in_web_process(shared, attempt)


@needs_root
def test_no_writes_to_files_of_others(shared: Shared, tmp_path: Path) -> None:
    """The process writes its own metrics and reads those of others, whose folder it cannot change."""
    Telemetry("watch-pods").reloads.labels("success").inc()
    before = sorted((tmp_path / "values").glob("*.db"))
    assert before

    def attempt() -> None:
        Telemetry("web-0").reloads.labels("success").inc()
        assert list((tmp_path / "values" / "web").glob("*_web-0.db"))
        assert all(read(path) for path in before)
        denied(lambda: (tmp_path / "values" / "counter_watch-new.db").symlink_to("/etc/passwd"))
        denied(lambda: before[0].open("r+b"))
        denied(before[0].unlink)

    in_web_process(shared, attempt)


def test_no_writes_to_shared_memory(shared: Shared) -> None:
    """Arenas, deadlines, statuses, heartbeats and other values can be read, and be written in no way."""
    arena = shared.arenas["watch-pods"]
    ArenaWriter(arena, ["pods"]).publish("pods", b"", b"\x90", 3, 0)
    shared.web_file.write(b"content")

    def attempt() -> None:
        assert shared.web_file.read() == (1, b"content")
        attempts: list[Callable[[], object]] = [
            lambda: arena.memory.__setitem__(0, 1),
            lambda: shared.deadlines.set(0, 1e9, True),
            lambda: shared.heartbeats.beat(0),
            lambda: shared.statuses["watch-pods"]["pods"].note_synced(),
            lambda: shared.web_file.write(b"x"),
            lambda: shared.uid.write("x"),
            lambda: shared.lease_problem.write("x"),
            lambda: shared.root_problems.write(b"x"),
            *(lambda region=region: region._memory.__setitem__(0, 1) for region in regions),  # type: ignore[misc]
        ]
        for one in attempts:
            with pytest.raises(TypeError):
                one()
        assert not files & set(filter(None, map(file_of, range(1024))))

    # Closed before in processes that do not use them: custom resources, rules, certificates, counts of series.
    values = [getattr(shared, field.name) for field in fields(shared) if field.name not in ("custom", "rules", "series", "certificates")]
    regions = [value for value in (*values, shared.statuses["watch-pods"]) if isinstance(value, Region)]
    files = set(map(file_of, [arena.fd, *(region._fd for region in regions)]))
    assert len(files) == len(regions) + 1 > 12 and None not in files
    in_web_process(shared, attempt)


def file_of(number: int) -> tuple[int, int] | None:
    """Device and inode of a descriptor, None if it is not open."""
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino


@needs_root
@pytest.mark.skipif(landlock.version() < 6, reason="needs Landlock 6")
def test_no_connections_and_no_signals(shared: Shared) -> None:
    """The process can connect to no server, and signal no process outside."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address, supervisor = listener.getsockname(), os.getpid()

        def attempt() -> None:
            with socket.socket() as client:
                denied(lambda: client.connect(address))
                denied(lambda: client.bind(("127.0.0.1", 0)))
            denied(lambda: os.kill(supervisor, 0))

        in_web_process(shared, attempt)


def test_questions_of_other_processes(shared: Shared) -> None:
    """A web process can ask about a token, and cannot take the questions of another."""
    assert shared.reviews

    def attempt() -> None:
        assert shared.reviews
        with pytest.raises(OSError):
            shared.reviews.take(0.1)

    in_web_process(shared, attempt)


@pytest.mark.parametrize(
    ("version", "line"),
    [
        (0, "the kernel has no Landlock, or was started without it: files that every user may read can be read"),
        (2, "Landlock 2 of this kernel does not restrict connections to other servers and signals to processes of the same user"),
        (4, "Landlock 4 of this kernel does not restrict signals to processes of the same user"),
        (7, ""),
    ],
)
def test_gaps_of_older_kernels(version: int, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap of the kernel has a line in the log."""
    monkeypatch.setattr(landlock, "version", lambda: version)
    assert landlock.missing() == line


@needs_root
def test_root_without_capabilities(shared: Shared, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root that may not change owners stays root, is confined otherwise, and the log has the capability that is missing."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(confinement.os, "chown", refuse)
    with caplog.at_level(logging.WARNING):
        assert not confinement.give_to_web_user("/values/web")
    assert [record.getMessage() for record in caplog.records] == [
        "web processes stay root: /values/web: Operation not permitted; add the capability CHOWN to the container"
    ]


def test_pages_of_protected_memory_are_the_writers(shared: Shared) -> None:
    """The writer goes on publishing after a reader has protected its mapping."""
    in_web_process(shared, lambda: None)
    shared.arenas["watch-pods"].memory[mmap.PAGESIZE] = 7
    assert shared.arenas["watch-pods"].memory[mmap.PAGESIZE] == 7
