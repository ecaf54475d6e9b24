"""The supervisor itself: its loop, reloads and end, with stub workers."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from telegen.config import ConfigSource
from telegen.process.logs import configure
from telegen.process.os_process import BootFailure, Exit
from telegen.supervisor import children
from telegen.supervisor import supervisor as module
from telegen.supervisor.configuration import load_checked
from telegen.supervisor.plan import make_plan
from telegen.supervisor.supervisor import Supervisor, run_with_pidfile
from tests.harness import free_port, replace_file
from tests.process_tree import wait_for
from tests.supervisor.conftest import STUBS, Idle

TEXT = """
kube_metrics: {listen_address: '127.0.0.1:0', kube_state: {enabled: false}}
supervisor: {grace_period: 1s}
"""


@dataclass
class Running:
    """A supervisor in a forked process."""

    pid: int
    config: Path
    log: Path

    def wait_log(self, text: str) -> None:
        """Wait for a line of the log."""
        wait_for(text, lambda: self.log.exists() and text in self.log.read_text(), 30)

    def children(self) -> dict[str, int]:
        """Pid by name of both workers, as the log shows them after SIGUSR1."""
        found: dict[str, int] = {}

        def both() -> bool:
            os.kill(self.pid, signal.SIGUSR1)
            found.update({name: int(pid) for name, pid in re.findall(r"(sample|web): process (\d+), up ", self.log.read_text())})
            return len(found) == 2

        self.log.write_text("")
        wait_for("both workers", both, 30, 0.05)
        return found

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        os.kill(self.pid, number)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextmanager
def supervisor(folder: Path, text: str = TEXT) -> Iterator[Running]:
    """Fork a supervisor with a configuration file."""
    config, log = folder / "config.yaml", folder / "log"
    config.write_text(text)
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            with log.open("a") as sys.stderr:
                source = ConfigSource(str(config), {})
                loaded = load_checked(source)
                configure("supervisor", loaded.log.level, loaded.log.format)
                status = Supervisor(loaded, make_plan(loaded, {}), source, b"").run()
        except BootFailure as failure:
            status = failure.status
        except BaseException:
            log.write_text(traceback.format_exc())
        finally:
            os._exit(status)
    try:
        yield Running(pid, config, log)
    except BaseException:
        print(log.read_text())
        raise
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.fixture(autouse=True)
def _stubs(stubs: Mapping[str, type[Idle]]) -> None:
    """Every test here runs with stub workers."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_all_processes(tmp_path: Path, number: signal.Signals) -> None:
    """The exit status is 0, and no child is left."""
    with supervisor(tmp_path) as running:
        running.wait_log("listens on 127.0.0.1 port ")
        pids = running.children().values()
        assert running.end(number) == Exit.OK
        assert not any(map(psutil.pid_exists, pids))


def test_misconfigured_worker_ends_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status is BOOT."""
    monkeypatch.setattr(children, "worker_class", {**STUBS, "sample": STUBS["boot"]}.__getitem__)
    with supervisor(tmp_path) as running:
        assert os.waitstatus_to_exitcode(os.waitpid(running.pid, 0)[1]) == Exit.BOOT


def test_killed_worker_is_restarted(tmp_path: Path) -> None:
    """The log names the signal; the successor has another pid."""
    with supervisor(tmp_path) as running:
        running.wait_log("listens on")
        before = running.children()
        os.kill(before["sample"], signal.SIGKILL)
        running.wait_log("sample: killed by SIGKILL")
        wait_for("its successor", lambda: running.children()["sample"] != before["sample"], 10)
        assert running.children()["web"] == before["web"]


def test_reload_replaces_the_workers_it_concerns(tmp_path: Path) -> None:
    """Settings of logs and SIGHUP without a change replace none; settings of the sampler replace the sampler."""
    with supervisor(tmp_path) as running:
        running.wait_log("listens on")
        before = running.children()
        running.config.write_text(TEXT + "log: {level: debug}\n")
        running.wait_log("configuration reloaded")
        assert running.children() == before
        os.kill(running.pid, signal.SIGHUP)
        running.wait_log("configuration reloaded")
        assert running.children() == before
        running.config.write_text(TEXT.replace("kube_metrics: {", "kube_metrics: {cadvisor: {collect_interval: 5s}, "))
        running.wait_log("configuration reloaded")
        after = running.children()
        assert after["web"] == before["web"] and after["sample"] != before["sample"]


def test_changed_file_is_reloaded(tmp_path: Path) -> None:
    """The log names the file; no signal is needed."""
    with supervisor(tmp_path) as running:
        running.wait_log("listens on")
        running.config.write_text(TEXT + "log: {level: debug}\n")
        running.wait_log(f"{running.config} has changed: reloading")
        running.wait_log("configuration reloaded")


def test_old_address_is_free_after_a_reload(tmp_path: Path) -> None:
    """No worker that goes on keeps it open: connections are refused, and another reload can use it again."""
    # No other program takes this port while it is free.
    port = free_port()
    text = TEXT.replace("127.0.0.1:0", f"127.0.0.1:{port}")
    with supervisor(tmp_path, text) as running:
        running.wait_log(f"listens on 127.0.0.1 port {port}")
        before = running.children()
        running.config.write_text(TEXT.replace("127.0.0.1:0", "127.0.0.2:0"))
        running.wait_log("configuration reloaded")
        assert running.children()["sample"] == before["sample"]
        wait_for("the old web process", lambda: not psutil.pid_exists(before["web"]), 30)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5).close()
        running.config.write_text(text)
        running.wait_log(f"listening on 127.0.0.1 port {port} now")


INVALID = ("gophers: 1", "kube_metrics: {kube_state: {resources: [gophers]}}", "kube_metrics: {listen_address: '192.0.2.1:1'}")


@pytest.mark.parametrize("text", INVALID)
def test_invalid_reload_keeps_the_old_configuration(tmp_path: Path, text: str) -> None:
    """An unknown key, an unknown resource, an address that is not of this host: one error each, and no process is replaced."""
    with supervisor(tmp_path) as running:
        running.wait_log("listens on")
        before = running.children()
        running.config.write_text(text)
        running.wait_log("the old configuration stays in force")
        assert "reload failed: " in running.log.read_text()
        assert running.children() == before
        assert running.end() == Exit.OK


def test_file_that_is_empty_for_a_moment(tmp_path: Path) -> None:
    """A file that a program truncates before it writes keeps the old configuration in force; the content that follows is read."""
    with supervisor(tmp_path) as running:
        running.wait_log("listens on")
        before = running.children()
        text = running.config.read_text()
        running.config.write_text("")
        running.wait_log(f"reload failed: {running.config}: the file is empty; write {{}} into it if it is to set nothing; the old")
        assert running.children() == before
        running.config.write_text(text + "log: {level: debug}\n")
        running.wait_log("configuration reloaded")
        assert running.end() == Exit.OK


def test_invalid_reload_keeps_the_web_configuration_file(tmp_path: Path) -> None:
    """A reload whose address cannot be opened leaves the web configuration file of before in force, and followed."""
    for name in ("old.yml", "new.yml"):
        (tmp_path / name).write_text("")
    with supervisor(tmp_path, f"{TEXT}web: {{web_config_file: {tmp_path}/old.yml}}\n") as running:
        running.wait_log("listens on")
        running.config.write_text(f"kube_metrics: {{listen_address: '192.0.2.1:1'}}\nweb: {{web_config_file: {tmp_path}/new.yml}}\n")
        running.wait_log("the old configuration stays in force")
        (tmp_path / "old.yml").write_text("http_server_config: {headers: {X-Frame-Options: deny}}")
        running.wait_log(f"web configuration reloaded: {tmp_path}/old.yml")


FILES = sorted(Path(__file__).parents[1].glob("config/invalid/*.yaml"))


def test_invalid_files_end_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file of tests/config/invalid, and a pipe: the reload fails, and the same processes go on."""
    monkeypatch.setattr(module, "TURN", 0.05)
    monkeypatch.setattr(module, "RELOAD_INTERVAL", 0.0)
    with supervisor(tmp_path) as running:
        running.wait_log("listens on")
        before = running.children()
        for path in FILES:
            running.log.write_text("")
            replace_file(running.config, path.read_text())
            running.wait_log("the old configuration stays in force")
            assert "Traceback" not in running.log.read_text(), path
        assert running.children() == before
        running.log.write_text("")
        running.config.unlink()
        os.mkfifo(running.config)
        running.wait_log("not a regular file; the old configuration stays in force")
        running.config.unlink()
        running.config.write_text(TEXT + "log: {level: debug}\n")
        running.wait_log("configuration reloaded")
        assert running.end() == Exit.OK


def test_burst_of_signals_is_one_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty SIGHUPs lead to two reloads: the first at once, the others together when `RELOAD_INTERVAL` is over."""
    clock = RawValue("d", 0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.value))
    monkeypatch.setattr(module, "TURN", 0.05)
    with supervisor(tmp_path) as running:
        running.wait_log("listens on")

        def reloads(seconds: float) -> int:
            """Number of reloads when the clock has advanced by `seconds` and some turns have passed."""
            clock.value += seconds
            for _ in range(3):
                asked = running.log.read_text().count("sample: process ")
                os.kill(running.pid, signal.SIGUSR1)
                wait_for("a turn", lambda: running.log.read_text().count("sample: process ") > asked, 10, 0.01)
            return running.log.read_text().count("configuration reloaded")

        os.kill(running.pid, signal.SIGHUP)
        running.wait_log("configuration reloaded")
        for _ in range(49):
            os.kill(running.pid, signal.SIGHUP)
            time.sleep(0.01)
        assert reloads(0.0) == reloads(0.9 * module.RELOAD_INTERVAL) == 1
        assert reloads(0.2 * module.RELOAD_INTERVAL) == reloads(10 * module.RELOAD_INTERVAL) == 2


def test_taken_pidfile(tmp_path: Path) -> None:
    """A pidfile of a running process is an error, and the supervisor is not started."""
    pidfile = tmp_path / "pid"
    pidfile.write_text(f"{os.getppid()}\n")
    (tmp_path / "config.yaml").write_text(TEXT)
    source = ConfigSource(str(tmp_path / "config.yaml"), {})
    config = load_checked(source)
    with pytest.raises(BootFailure, match="supervisor.pidfile: .*runs already as process") as raised:
        run_with_pidfile(Supervisor(config, make_plan(config, {}), source, b""), str(pidfile))
    assert raised.value.status == Exit.BOOT
    assert pidfile.exists()


def test_agents_do_not_load_the_simulated_server() -> None:
    """Only --demo imports telegen.demo: its modules would take memory in every process."""
    code = "import sys, telegen.supervisor.__main__; print([name for name in sys.modules if name.startswith('telegen.demo')])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert shown.stdout == "[]\n"
