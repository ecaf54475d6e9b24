"""Limits of processes that are too low: one line with the cause and the cure, and nothing is started."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from telegen.config import Config
from telegen.config.model import Web
from telegen.process.os_process import BootFailure
from telegen.supervisor import limits
from telegen.supervisor.limits import check_limits
from tests.harness import clean_environ
from tests.supervisor.conftest import plan_of
from workers._base import Assignment

PLAN = plan_of(
    Assignment("watch-cluster", "watch", tuple(f"store-{number}" for number in range(20))),
    Assignment("watch-pods", "watch", ("pods",)),
    Assignment("web", "web"),
)
GIB = 1 << 30
CONFIG = Config()


def limited(folder: Path, kind: int, value: int, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the agent under a limit until it exits."""
    config = folder / "config.yaml"
    config.write_text("kube_metrics: {listen_address: '127.0.0.1:1', kube_state: {apiserver: 'http://127.0.0.1:1'}}")
    return subprocess.run(
        [sys.executable, "-m", *(command or ("telegen.supervisor", "--config", str(config)))],
        env=clean_environ(),
        preexec_fn=lambda: resource.setrlimit(kind, (value, value)),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("value", [6, 8, 16, 20, 24, 32, 48, 64, 100])
def test_few_open_files(tmp_path: Path, value: int) -> None:
    """A limit of open files below the need of the configuration gives one line with both numbers and the cure."""
    ended = limited(tmp_path, resource.RLIMIT_NOFILE, value)
    assert ended.returncode == 4
    assert ended.stderr.startswith(f"telegen: open files: the limit of {value} per process is below the ")
    assert ended.stderr.count("\n") == 1 and "ulimit -n" in ended.stderr and ended.stdout == ""


@pytest.mark.parametrize("mebibytes", [24, 40, 60, 80, 95])
@pytest.mark.parametrize("command", [("telegen.supervisor",), ("telegen", "version")])
def test_address_space_that_holds_no_program(tmp_path: Path, mebibytes: int, command: tuple[str, ...]) -> None:
    """An address space in which the imports would fail gives one line instead of a traceback."""
    ended = limited(tmp_path, resource.RLIMIT_AS, mebibytes << 20, *command)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"telegen: address space: the limit of {mebibytes} MiB")
    assert ended.stderr.count("\n") == 1 and "ulimit -v" in ended.stderr


@pytest.mark.parametrize("mebibytes", [97, 128, 512, 4096, 12000])
def test_address_space_that_holds_no_arenas(tmp_path: Path, mebibytes: int) -> None:
    """An address space below that of the arenas gives one line with the setting of their size."""
    ended = limited(tmp_path, resource.RLIMIT_AS, mebibytes << 20)
    assert ended.returncode == 4
    assert ended.stderr.startswith(f"telegen: address space: the limit of {mebibytes} MiB per process is below the ")
    assert ended.stderr.count("\n") == 1 and "kube_metrics.kube_state.arena_limit" in ended.stderr


class Limits:
    """Stands for setrlimit(2) of this process; other kinds are not limited."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **values: tuple[int, int]) -> None:
        self.values = {getattr(resource, name): pair for name, pair in values.items()}
        monkeypatch.setattr(limits.resource, "getrlimit", lambda kind: self.values.get(kind, (resource.RLIM_INFINITY,) * 2))
        monkeypatch.setattr(limits.resource, "setrlimit", self.values.__setitem__)
        monkeypatch.setattr(limits.os, "geteuid", lambda: 1000)


def test_soft_limit_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A soft limit of open files below the need is raised as far as needed, where the hard limit allows it."""
    # An arena and statuses of each worker; and of the connections a quarter twice, beside the silent ones.
    needed = limits.FILES + 4 * limits.FILES_PER_REGION + 20 * limits.FILES_PER_STORE + 1500
    given = Limits(monkeypatch, RLIMIT_NOFILE=(16, 4096))
    check_limits(PLAN, CONFIG)
    assert given.values[resource.RLIMIT_NOFILE] == (needed, 4096)
    check_limits(plan_of(), CONFIG)
    assert given.values[resource.RLIMIT_NOFILE] == (needed, 4096)


def test_few_files_for_clients(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A hard limit that suffices for all but max_connections is used up to the end, with a warning that names the setting."""
    given = Limits(monkeypatch, RLIMIT_NOFILE=(256, 1024))
    check_limits(PLAN, CONFIG)
    assert given.values[resource.RLIMIT_NOFILE] == (1024, 1024)
    (record,) = caplog.records
    assert record.getMessage().startswith("open files: the limit of 1024 per process is below the 1676 for web.max_connections; raise it")
    caplog.clear()
    check_limits(PLAN, replace(CONFIG, web=Web(max_connections=100)))
    assert not caplog.records


def test_threads_of_web_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of web processes counts."""
    Limits(monkeypatch, RLIMIT_NOFILE=(4096, 4096), RLIMIT_NPROC=(24, 24))
    check_limits(PLAN, CONFIG)
    with pytest.raises(BootFailure, match="below the 204 "):
        check_limits(PLAN, replace(CONFIG, web=Web(workers=32)))


def test_all_limits_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each limit that is too low has a line of its own, also that of processes, which root does not have."""
    Limits(monkeypatch, RLIMIT_NOFILE=(16, 16), RLIMIT_AS=(GIB, GIB), RLIMIT_NPROC=(5, 5))
    with pytest.raises(BootFailure) as failure:
        check_limits(PLAN, CONFIG)
    lines = str(failure.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["open files", "address space", "processes"]
    assert "the limit of 5 processes and threads of this user is below the 24 " in lines[2]
    monkeypatch.setattr(limits.os, "geteuid", lambda: 0)
    with pytest.raises(BootFailure) as failure:
        check_limits(PLAN, CONFIG)
    assert "processes:" not in str(failure.value)
