"""Children of the supervisor: start, restart with backoff, abortion of hanging processes, replacement, end."""

from __future__ import annotations

import errno
import gc
import logging
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from telegen.config.types import ListenAddress
from telegen.supervisor import children as module
from telegen.supervisor.children import Child, Children
from telegen.supervisor.inherited import Inherited
from tests.process_tree import wait_for
from tests.supervisor.conftest import FAST, plan_of
from workers._base import Assignment

WATCH, SAMPLE, WEB = Assignment("watch-pods", "watch", ("pods",)), Assignment("sample", "sample"), Assignment("web", "web")
Make = Callable[..., Children]


def pid_of(children: Children, name: str) -> int:
    """Pid of a child, 0 if it does not run."""
    return children._children[name].pid


def running(pid: int) -> bool:
    """Return True while a process runs; a zombie has ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ignores_signals(pid: int) -> None:
    """Wait until a stubborn process ignores SIGABRT and SIGTERM."""
    bits = 1 << signal.SIGABRT - 1 | 1 << signal.SIGTERM - 1

    def ignored() -> int:
        return int(Path(f"/proc/{pid}/status").read_text().partition("SigIgn:")[2].split()[0], 16)

    wait_for("a process that ignores signals", lambda: ignored() & bits == bits, 20)


def ends(pid: int) -> None:
    """Wait for the end of a process."""
    wait_for("the end", lambda: not running(pid), 20)


def test_every_assignment_has_a_process(make_children: Make, inherited: Inherited) -> None:
    """Each has its own pid, in its row of the heartbeats."""
    children = make_children(WATCH, SAMPLE, WEB)
    pids = {name: pid_of(children, name) for name in ("watch-pods", "sample", "web")}
    assert len(set(pids.values())) == 3 and all(map(running, pids.values()))
    assert {name: inherited.heartbeats.pid(inherited.row(name)) for name in pids} == pids


def test_crashed_child_restarts_with_backoff(make_children: Make, caplog: pytest.LogCaptureFixture) -> None:
    """The delay doubles up to backoff_max, and the log names the child, the cause and the delay."""
    children = make_children(Assignment("sample", "crash"))
    delays = []
    for _ in range(4):
        ends(pid_of(children, "sample"))
        children.reap()
        child = children._children["sample"]
        assert child.pid == 0
        delays.append(child.delay)
        children.spawn_due()
        assert child.pid == 0, "not before the delay is over"
        child.due = 0.0
        children.spawn_due()
        assert child.pid
    assert delays == pytest.approx([10.0, 20.0, 30.0, 30.0])
    assert "sample: exit status 1 (CRASH)" in caplog.text


def test_healthy_child_restarts_at_once(make_children: Make) -> None:
    """A child that ran for a while has no delay."""
    children = make_children(SAMPLE)
    child = children._children["sample"]
    child.started -= module.HEALTHY + 1
    before = child.pid
    os.kill(before, signal.SIGKILL)
    ends(before)
    children.reap()
    children.spawn_due()
    assert child.pid not in (0, before)


def test_misconfigured_child_stops_the_agent(make_children: Make) -> None:
    """Exit status BOOT: a restart would not help."""
    children = make_children(Assignment("sample", "boot"))
    ends(pid_of(children, "sample"))
    assert not children.boot_failed
    children.reap()
    assert children.boot_failed


def test_orphans_are_reaped(make_children: Make) -> None:
    """As PID 1 of a container the supervisor reaps processes that it has not started."""
    children = make_children(SAMPLE)
    if (orphan := os.fork()) == 0:
        os._exit(3)
    ends(orphan)
    children.reap()
    with pytest.raises(ChildProcessError):
        os.waitpid(orphan, 0)
    assert running(pid_of(children, "sample"))


def test_hanging_child_is_aborted_then_killed(make_children: Make, inherited: Inherited, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a heartbeat for heartbeat_timeout a child gets SIGABRT, which prints its stacks, and later SIGKILL."""
    monkeypatch.setattr(module, "ABORT_TIME", 0.1)
    children = make_children(Assignment("sample", "stubborn"))
    child, age = children._children["sample"], 0.9 * FAST.supervisor.heartbeat_timeout
    ignores_signals(child.pid)
    monkeypatch.setattr(inherited.heartbeats, "age", lambda row: age if row else 0.0)
    children.murder_late()
    assert not child.aborted, "not before heartbeat_timeout"
    age = FAST.supervisor.heartbeat_timeout
    children.murder_late()
    assert child.aborted
    time.sleep(0.2)
    assert running(child.pid), "the stub ignores SIGABRT"
    children.murder_late()
    ends(child.pid)
    assert os.waitpid(child.pid, 0)[1] == signal.SIGKILL


def test_no_child_is_aborted_after_a_pause_of_the_supervisor(make_children: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a suspension of the machine children get time to beat again: they were stopped, too."""
    monkeypatch.setattr(module, "LATE", 0.2)
    children = make_children(Assignment("sample", "stubborn"))
    time.sleep(0.3)
    children.murder_late()
    assert not children._children["sample"].aborted


def test_failed_fork_is_repeated(make_children: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """At the limit of processes a reload loses no child: those that go on stay known, the others are started later."""
    children = make_children(WATCH, SAMPLE, WEB)
    before = {name: pid_of(children, name) for name in ("watch-pods", "sample", "web")}

    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fork", refuse)
        children.apply_plan(changed(FAST, f"{STATE}.metric_denylist", ("x",)), plan_of(WATCH, SAMPLE, WEB))
    assert (pid_of(children, "watch-pods"), pid_of(children, "sample"), pid_of(children, "web")) == (0, before["sample"], before["web"])
    assert "watch-pods: cannot start a process: Resource temporarily unavailable; restarting in 10.0 s" in caplog.text
    children._children["watch-pods"].due = 0.0
    children.spawn_due()
    assert running(pid_of(children, "watch-pods"))


def test_agent_leaves_another_cluster(make_children: Make, inherited: Inherited, monkeypatch: pytest.MonkeyPatch) -> None:
    """The elector of a group in another cluster releases its Leases, and their problem is not that of the new ones."""
    elected = Assignment("watch-pods", "watch", ("pods",), lease_shard=0)
    inherited.deadlines.set(0, 0.0, True)
    children = make_children(elected, WEB)
    inherited.lease_problem.write("no right to list Leases")
    noted: list[bool] = []
    dismiss = children._dismiss

    def note(child: Child) -> None:
        noted.append(inherited.deadlines.leaving)
        dismiss(child)

    monkeypatch.setattr(children, "_dismiss", note)
    children.apply_plan(FAST, replace(children.plan, cluster="https://192.0.2.1"), cluster_changed=True)
    assert noted[0] and not inherited.deadlines.leaving
    assert inherited.lease_problem.read() == ""


def test_process_that_has_to_wait_has_no_heartbeat(make_children: Make, inherited: Inherited) -> None:
    """A reload ends it, and its shard is not known yet: its row shows neither the old process nor its age."""
    children = make_children(WATCH, WEB)
    children.apply_plan(FAST, plan_of(replace(WATCH, agent_shard=(0, 0)), WEB))
    assert not pid_of(children, "watch-pods")
    assert inherited.heartbeats.age(inherited.row("watch-pods")) == float("inf")
    assert not inherited.heartbeats.pid(inherited.row("watch-pods"))


def test_new_plan_replaces_what_it_concerns(make_children: Make) -> None:
    """The writer of an arena has ended before its successor starts; the old web process ends after the new one has started."""
    children = make_children(WATCH, SAMPLE, WEB)
    before = {name: pid_of(children, name) for name in ("watch-pods", "sample", "web")}
    api = msgspec.structs.replace(FAST, api=msgspec.structs.replace(FAST.api, list_page_size=7))
    children.apply_plan(api, plan_of(WATCH, WEB))
    assert not running(before["watch-pods"]) and not running(before["sample"])
    assert {"watch-pods", "web"} == set(children._children)
    assert pid_of(children, "web") not in (0, before["web"])
    ends(before["web"])
    children.reap()
    assert running(pid_of(children, "web")) and running(pid_of(children, "watch-pods"))


STATE, CADVISOR = "kube_metrics.kube_state", "kube_metrics.cadvisor"


@pytest.mark.parametrize(
    ("path", "value", "replaced"),
    [
        ("log.level", "debug", set()),
        ("log.format", "json", set()),
        ("supervisor.backoff_max", 7.0, {"web"}),
        ("web.threads", 2, {"web"}),
        ("kube_metrics.metrics_path", "/other", {"web"}),
        (f"{CADVISOR}.collect_interval", 5.0, {"sample"}),
        (f"{CADVISOR}.root", "/host", {"sample"}),
        (f"{CADVISOR}.metric_denylist", ("x",), {"sample"}),
        (f"{STATE}.metric_denylist", ("x",), {"watch-pods"}),
        (f"{STATE}.use_apiserver_cache", True, {"sample", "watch-pods"}),
        ("kube_metrics.election.retry_period", 1.0, {"watch-pods"}),
        ("kubernetes.cluster_name", "east", {"sample", "watch-pods", "web"}),
        ("adapter.agent_address", ListenAddress("127.0.0.1:0"), {"sample", "web"}),
        ("adapter.agent_tls_dir", "/tls", set()),
    ],
)
def test_new_settings_replace_what_they_concern(make_children: Make, path: str, value: object, replaced: set[str]) -> None:
    """The other processes go on."""
    children = make_children(WATCH, SAMPLE, WEB)
    before = {name: pid_of(children, name) for name in ("watch-pods", "sample", "web")}
    children.apply_plan(changed(FAST, path, value), plan_of(WATCH, SAMPLE, WEB))
    assert {name for name in before if pid_of(children, name) != before[name]} == replaced
    assert all(running(pid_of(children, name)) for name in before)


def test_processes_map_no_memory_of_another(make_children: Make) -> None:
    """The memory of an arena is free when a reload removes its writer; keys of certificates are in web processes alone."""
    # Tests before this one may have left memory mapped, which forked processes would have as well.
    gc.collect()
    children = make_children(WATCH, Assignment("sample", "sample", ("containers/memory",)), WEB)

    def memory(name: str) -> set[str]:
        maps = psutil.Process(pid_of(children, name)).memory_maps(grouped=False)
        found = {one.path.removeprefix("/memfd:telegen")[1:].split()[0] for one in maps if one.path.startswith("/memfd:telegen")}
        return found - {"deadlines", "heartbeats", "holders", "notices", "root-problems", "shard", "state", "statuses", "text"}

    for name, expected in (
        ("watch-pods", {"watch-pods", "series"}),
        ("sample", {"sample", "series", "usage"}),
        ("web", {"watch-pods", "sample", "web-file", "agent-tls", "usage"}),
    ):
        wait_for(f"the memory of {name}", lambda: memory(name) == expected, 10)


def test_changed_cluster_replaces_every_process(make_children: Make) -> None:
    """A kubeconfig that names another server concerns all."""
    children = make_children(WATCH, SAMPLE, WEB)
    before = {name: pid_of(children, name) for name in ("watch-pods", "sample", "web")}
    children.apply_plan(FAST, plan_of(WATCH, SAMPLE, WEB), cluster_changed=True)
    assert all(pid_of(children, name) not in (0, before[name]) for name in before)


def changed(section: Any, path: str, value: object) -> Any:
    """Return a configuration with another value at a path."""
    name, _, rest = path.partition(".")
    return msgspec.structs.replace(section, **{name: changed(getattr(section, name), rest, value) if rest else value})


def test_process_of_a_lease_shard_follows_the_deadlines(make_children: Make, inherited: Inherited) -> None:
    """It runs while its shard is wanted; afterwards its pages and its heartbeat are removed."""
    children = make_children(Assignment("watch-pods", "watch", ("pods",), lease_shard=0), WEB)
    assert not pid_of(children, "watch-pods")
    inherited.deadlines.set(0, 0.0, True)
    children.spawn_due()
    pid = pid_of(children, "watch-pods")
    assert running(pid)
    inherited.deadlines.set(0, 0.0, False)
    children.end_unwanted()
    assert not running(pid) and not pid_of(children, "watch-pods")
    assert inherited.heartbeats.age(inherited.row("watch-pods")) == float("inf")


def test_nothing_is_collected_before_the_uid_is_known(make_children: Make, inherited: Inherited) -> None:
    """With cluster_uid only the process that reads the UID runs, and the web; afterwards all others."""
    children = make_children(WATCH, Assignment("identify", "identify"), WEB)
    assert [bool(pid_of(children, name)) for name in ("watch-pods", "identify", "web")] == [False, True, True]
    inherited.uid.write("6e1b3f0c-0000-4000-8000-000000000000")
    children.end_unwanted()
    children.spawn_due()
    assert [bool(pid_of(children, name)) for name in ("watch-pods", "identify", "web")] == [True, False, True]


def test_stop_kills_after_the_grace_period(make_children: Make, caplog: pytest.LogCaptureFixture) -> None:
    """SIGTERM goes to all children; those that have not ended in grace_period are killed."""
    children = make_children(SAMPLE, Assignment("watch-pods", "stubborn"))
    ignores_signals(pid_of(children, "watch-pods"))
    pids = [pid_of(children, name) for name in ("sample", "watch-pods")]
    started = time.monotonic()
    children.stop_all()
    assert not any(map(running, pids))
    assert time.monotonic() - started >= FAST.supervisor.grace_period
    assert f"process {pids[1]} " in caplog.text and f"process {pids[0]} " not in caplog.text


def test_status_in_the_log(make_children: Make, caplog: pytest.LogCaptureFixture) -> None:
    """SIGUSR1: a line per child with its state."""
    caplog.set_level(logging.INFO)
    children = make_children(SAMPLE, Assignment("watch-pods", "watch", lease_shard=0))
    children.log_status()
    lines = [record.getMessage() for record in caplog.records]
    assert any(re.match(rf"sample: process {pid_of(children, 'sample')}, up \d+ s, last beat ", line) for line in lines)
    assert any(line.startswith("watch-pods: not ") for line in lines)
