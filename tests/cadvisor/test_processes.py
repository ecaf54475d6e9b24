"""Processes, what they have open, and what the scheduler and the page tables say of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from telegen.cadvisor.collectors.processes import MANY, RECOUNT_SECONDS
from telegen.cadvisor.node import Node, Roots
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages
from tests.cadvisor.proc import process
from tests.cadvisor.test_collectors import samples
from tests.cadvisor.test_network import APP, POD, Host
from tests.cadvisor.test_passes import Clock, clock  # noqa: F401

PATH = f"{POD}/{APP}"
LIMITS = "Limit   Soft Limit  Hard Limit  Units\nMax processes   5810 5810 processes\nMax open files  {}  4096  files\n"
ALL = Cadvisor(enabled_metrics=("sched", "referenced_memory"))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with one container of one process."""
    host = Host(tmp_path, ALL)
    host.container(PATH, 10)
    process(host.proc, 10, PATH, limits=LIMITS.format(1024))
    opened(host, 10, files=2, sockets=1)
    return host


def opened(host: Host, pid: int, files: int, sockets: int) -> None:
    """Set the open files of a process."""
    folder = host.proc / str(pid) / "fd"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(files + sockets):
        (folder / str(number)).symlink_to("/dev/null" if number < files else f"socket:[{number}]")


def shown(host: Host, path: str = PATH) -> dict[str, str]:
    """The samples of a cgroup after one more pass, without what is not of processes."""
    found = samples(host.pages.page(), path)
    return {name[len("container_") :]: value for name, value in found.items() if "_time_" not in name and "_seen" not in name}


def test_counts(host: Host) -> None:
    """Processes of a container and of its inner cgroups, their descriptors and sockets, the first one's limit;
    nothing of the pod, which has none itself, nor of systemd-nspawn's supervisor."""
    host.container(f"{PATH}/supervisor", 12)
    host.container(f"{PATH}/init.scope", 11)
    process(host.proc, 11, f"{PATH}/init.scope", limits=LIMITS.format("unlimited"))
    opened(host, 11, files=1, sockets=3)
    assert shown(host) == {
        "processes": "2",
        "file_descriptors": "7",
        "sockets": "4",
        'ulimits_soft{ulimit="max_open_files"}': "1024",
    }
    assert not shown(host, POD)


def test_more_processes_than_one_read_returns(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel returns cgroup.procs in pieces of a page; all processes count, in a file that is new or kept open."""
    pread = os.pread

    def lines_of_a_page(fd: int, size: int, offset: int) -> bytes:
        piece = pread(fd, 4096, offset)
        return piece[: piece.rfind(b"\n") + 1]

    monkeypatch.setattr("telegen.cadvisor.cgroups.control_files.os.pread", lines_of_a_page)
    for number in (2000, 1999, 585, 584, 500):
        host.container(PATH, *range(100_000, 100_000 + number))
        assert shown(host)["processes"] == str(number)


def test_no_limit(host: Host) -> None:
    """No limit is -1, as in cAdvisor."""
    (host.proc / "10/limits").write_text(LIMITS.format("unlimited"))
    assert shown(host)['ulimits_soft{ulimit="max_open_files"}'] == "-1"


def test_process_that_ends_while_it_is_read(host: Host) -> None:
    """It counts as a process, as the kernel has just said; it has nothing open any more."""
    host.container(PATH, 10, 12)
    assert shown(host)["processes"] == "2"
    assert shown(host)["file_descriptors"] == "3"
    assert not host.errors()


def test_process_that_may_not_be_looked_at(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without permission there is no count of sockets rather than a too small one; the rest is there. It is counted once
    in a while, as often as it is tried."""

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("telegen.cadvisor.collectors.processes._sockets", refuse)
    for _ in range(3):
        assert shown(host) == {"processes": "1", "file_descriptors": "3", 'ulimits_soft{ulimit="max_open_files"}': "1024"}
    assert host.errors() == {"EACCES": 1}
    assert "container_scrape_error 0" in host.pages.page()


def test_sockets_are_counted_when_descriptors_change(host: Host, clock: Clock) -> None:  # noqa: F811
    """As many descriptors as before: the sockets are those of before, for a minute or two."""
    assert shown(host)["sockets"] == "1"
    opened(host, 10, files=1, sockets=2)
    assert shown(host)["sockets"] == "1"
    opened(host, 10, files=1, sockets=3)
    assert shown(host)["sockets"] == "3"
    opened(host, 10, files=0, sockets=4)
    clock.now += 2 * RECOUNT_SECONDS
    assert shown(host)["sockets"] == "4"


def test_many_descriptors(host: Host, clock: Clock) -> None:  # noqa: F811
    """Of a process with very many descriptors the number is always new, the sockets only so often."""
    opened(host, 10, files=MANY, sockets=1)
    assert (shown(host)["file_descriptors"], shown(host)["sockets"]) == (str(MANY + 1), "1")
    opened(host, 10, files=MANY, sockets=2)
    assert (shown(host)["file_descriptors"], shown(host)["sockets"]) == (str(MANY + 2), "1")
    clock.now += 2 * RECOUNT_SECONDS
    assert shown(host)["sockets"] == "2"


def schedstat(host: Host, thread: str, times: str) -> None:
    """Write the scheduler's counters of a thread, `PID/task/TID`."""
    (host.proc / thread).mkdir(parents=True, exist_ok=True)
    (host.proc / thread / "schedstat").write_text(times)


def test_scheduler(host: Host) -> None:
    """All threads count, and those that have ended go on counting: the sum never goes down."""
    schedstat(host, "10/task/10", "1000000000 500000000 3\n")
    schedstat(host, "10/task/11", "2000000000 0 4\n")
    families = (
        "container_cpu_schedstat_run_seconds_total",
        "container_cpu_schedstat_runqueue_seconds_total",
        "container_cpu_schedstat_run_periods_total",
    )
    found = shown(host)
    assert [found[name.removeprefix("container_")] for name in families] == ["3", "0.5", "7"]
    shutil.rmtree(host.proc / "10/task/11")
    schedstat(host, "10/task/10", "1500000000 500000000 4\n")
    assert shown(host)["cpu_schedstat_run_seconds_total"] == "3.5"
    schedstat(host, "10/task/10", "100000000 0 1\n")
    found = shown(host)
    assert [found[name.removeprefix("container_")] for name in families] == ["3.6", "0.5", "9"]
    shutil.rmtree(host.proc / "10")
    assert shown(host)["cpu_schedstat_run_periods_total"] == "9"
    assert not host.errors()


def test_scheduler_in_another_form(host: Host) -> None:
    """A line of another form costs this group only."""
    schedstat(host, "10/task/10", "1000000000\n")
    assert "processes" in shown(host) and not any("sched" in name for name in shown(host))
    assert set(host.errors()) == {"malformed"}


@pytest.mark.parametrize("name", ["smaps_rollup", "smaps"])
def test_referenced(host: Host, name: str) -> None:
    """Referenced kilobytes of all mappings, from either file."""
    (host.proc / "10" / name).write_text("00400000-7ff rollup\nRss: 9 kB\nReferenced:   3 kB\nReferenced:   4 kB\n")
    assert shown(host)["referenced_bytes"] == str(7 * 1024)


def test_referenced_that_may_not_be_read(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """No number, it is counted, and the pass has not failed."""

    def refuse(folder: str) -> None:
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr("telegen.cadvisor.collectors.referenced_memory._of_process", refuse)
    assert "referenced_bytes" not in shown(host)
    assert host.errors() == {"EACCES": 1}
    assert "container_scrape_error 0" in host.pages.page()


def test_real_processes(tmp_path: Path) -> None:
    """The kernel's own /proc: a child with ten sockets and twenty files, counted by it and by us."""
    code = (
        "import os, socket, sys; held = [socket.socket() for _ in range(10)] + [open('/dev/null') for _ in range(20)]\n"
        "print(len(os.listdir('/proc/self/fd')) - 1, flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout and child.stdin
        own = int(child.stdout.readline())
        folder = tmp_path / PATH[1:]
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").write_text(f"{child.pid}\n")
        (tmp_path / "cgroup.controllers").write_text("pids\n")
        node = Node(Roots(str(tmp_path), "/proc"))
        assert node.fd_size_is_count == (os.stat("/proc/self/fd").st_size > 0)
        found = samples(Pages(node, ALL).page(), PATH)
        assert found["container_file_descriptors"] == str(own)
        assert found["container_sockets"] == "10"
        assert float(found["container_cpu_schedstat_run_seconds_total"]) > 0
        assert float(found["container_referenced_bytes"]) > 1 << 20
        node.__dict__["fd_size_is_count"] = False
        assert samples(Pages(node, ALL).page(), PATH)["container_file_descriptors"] == str(own)
    finally:
        child.communicate()
    assert child.returncode == 0
