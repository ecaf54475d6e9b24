"""The agent as a process: exit statuses, signals, reloads."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from telegen.demo.server import SimulatedServer
from tests.e2e.test_faults import Scrapes
from tests.harness import FAST, Agent, clean_environ, free_port, get, start_agent
from tests.process_tree import wait_for


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the supervisor until it exits."""
    return subprocess.run(
        [sys.executable, "-m", "telegen.supervisor", *arguments],
        env=clean_environ() | environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def written(folder: Path, text: str) -> str:
    """Write a configuration file; return its path."""
    path = folder / "config.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("kube_metrics: {listen_adress: ':1'}", "kube_metrics"),
        ("kube_metrics: {listen_address: 'nowhere'}", "kube_metrics.listen_address"),
        ("kube_metrics: {cadvisor: {collect_interval: soon}}", "kube_metrics.cadvisor.collect_interval"),
        ("kube_metrics: {kube_state: {resources: [gophers]}}", "kube_metrics.kube_state.resources"),
        ("kube_metrics: {kube_state: {metric_allowlist: ['(']}}", "kube_metrics.kube_state.metric_allowlist"),
        ("kube_metrics: [", "config.yaml"),
    ],
)
def test_configuration_error_starts_nothing(tmp_path: Path, text: str, path: str) -> None:
    """An invalid configuration gives one line with the path of the key and exit status 2, and leaves no process."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    ended = run("--config", written(tmp_path, text))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert re.fullmatch(rf"telegen: .*{re.escape(path)}.*\n", ended.stderr)
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before


def test_missing_configuration_file() -> None:
    """The error names a missing file."""
    ended = run("--config", "/nowhere/config.yaml")
    assert ended.returncode == 2
    assert "/nowhere/config.yaml" in ended.stderr and ended.stderr.count("\n") == 1


def test_taken_port(tmp_path: Path) -> None:
    """A port in use gives one line with the cure and exit status 3."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("--config", written(tmp_path, f"kube_metrics: {{listen_address: '127.0.0.1:{port}'}}"))
    assert ended.returncode == 3
    errors = [line for line in ended.stderr.splitlines() if line.startswith("telegen: ")]
    assert len(errors) == 1
    assert f"127.0.0.1:{port}" in errors[0] and "kube_metrics.listen_address" in errors[0]


def test_check_names_settings_without_effect(tmp_path: Path) -> None:
    """--check validates, names settings without effect, starts no process and exits with 0."""
    ended = run("--check", "--config", written(tmp_path, "web: {threads: 8}"))
    assert ended.returncode == 0
    assert "web.threads: accepted for compatibility, without effect\n" in ended.stdout
    assert ended.stdout.endswith("the configuration is valid\n")


def test_no_cluster_serves_containers_alone() -> None:
    """An agent that finds no cluster logs one line and serves the containers."""
    text = "kube_metrics: {{listen_address: '127.0.0.1:{port}', cadvisor: {{collect_interval: 1s}}}}"
    with start_agent(text) as agent:
        agent.wait_ready()
        assert 'container_memory_usage_bytes{container="",id="/"' in agent.page()
        assert "kube_pod_info" not in agent.page()
        told = [line for line in agent.log.read_text().splitlines() if "no cluster" in line]
        assert len(told) == 1


def test_term_ends_everything(server: SimulatedServer) -> None:
    """SIGTERM gives exit status 0, and leaves no process and no pidfile."""
    with start_agent(FAST.replace("supervisor: {{", "supervisor: {{pidfile: {pidfile}, "), url=server.url,
                     pidfile=f"/tmp/telegen-test-{os.getpid()}.pid") as agent:
        agent.wait_ready()
        pidfile = Path(f"/tmp/telegen-test-{os.getpid()}.pid")
        assert int(pidfile.read_text()) == agent.process.pid
        processes = agent.tree.processes()
        assert len(processes) > 5
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(60) == 0
        assert psutil.wait_procs(processes, timeout=0)[1] == []
        assert not pidfile.exists()


def test_second_agent_of_one_pidfile(agent: Agent, tmp_path: Path) -> None:
    """A pidfile of a running process gives one line with its pid, and no second agent starts."""
    pidfile = tmp_path / "pid"
    pidfile.write_text(f"{agent.process.pid}\n")
    text = f"kube_metrics: {{listen_address: '127.0.0.1:{free_port()}'}}\nsupervisor: {{pidfile: {pidfile}}}"
    ended = run("--config", written(tmp_path, text))
    assert ended.returncode == 4
    assert f"runs already as process {agent.process.pid}" in ended.stderr


def test_usr1_writes_the_state_of_every_worker(server: SimulatedServer) -> None:
    """SIGUSR1 logs a line per worker with its pid and its last heartbeat."""
    with start_agent(FAST + "log: {{level: info}}\n", url=server.url) as agent:
        agent.wait_ready()
        agent.process.send_signal(signal.SIGUSR1)
        for name in ("watch-pods", "watch-cluster", "sample", "web"):
            pattern = rf"{name}: process \d+, up \d+ s, last beat "
            wait_for(name, lambda: re.search(pattern, agent.log.read_text()) is not None, 5)


def test_json_logs(server: SimulatedServer) -> None:
    """With `log.format: json` each line is an object with time, level, process and message."""
    with start_agent(FAST + "log: {{level: info, format: json}}\n", url=server.url) as agent:
        agent.wait_ready()
        lines = [json.loads(line) for line in agent.log.read_text().splitlines()]
    assert {"time", "level", "process", "message"} <= set(lines[0])
    assert {"supervisor", "watch-pods"} <= {line["process"] for line in lines}


def test_changed_file_is_applied_without_a_failed_scrape(agent: Agent) -> None:
    """A changed file is applied without a signal and without a failed scrape; an invalid one is logged and changes nothing."""
    with Scrapes(agent).running() as scrapes:
        wait_for("scrapes", lambda: scrapes.count > 3, 10)
        text = agent.config.read_text()
        agent.configure(text.replace("kube_state:", "kube_state:\n    metric_denylist: [_metadata_]", 1))
        agent.wait_page("the denylist", lambda page: "kube_deployment_metadata_generation" not in page)
        seen = scrapes.count
        wait_for("more scrapes", lambda: scrapes.count > seen + 3, 10)
    assert scrapes.failures == []
    assert 'telegen_config_reloads_total{result="error"} 0.0' in agent.page("/telemetry")
    agent.configure("kube_metrics: {gophers: 1}")
    wait_for("the refusal", lambda: "reload failed" in agent.log.read_text(), 10)
    assert "kube_metrics.gophers: unknown key" in agent.log.read_text()
    assert 'telegen_config_reloads_total{result="error"} 1.0' in agent.page("/telemetry")
    assert "kube_pod_info{" in agent.page()


def test_hup_applies_a_new_address(agent: Agent) -> None:
    """After SIGHUP the agent listens on the new listen_address only."""
    port = free_port()
    agent.configure(agent.config.read_text().replace(f":{agent.port}", f":{port}"))
    agent.process.send_signal(signal.SIGHUP)
    url = f"http://127.0.0.1:{port}/readyz"
    wait_for("the new address", lambda: answers(url) and not answers(f"{agent.url}/readyz"), 10)


def answers(url: str) -> bool:
    """Return True if a GET returns 200."""
    try:
        return get(url, timeout=2).status == 200
    except OSError:
        return False


def test_pods_split_over_processes_and_stores_by_namespace(server: SimulatedServer) -> None:
    """pod_processes serve each pod once. Each namespace of `namespaces`, even if listed twice, has one store; excluded and other
    namespaces have none."""
    selection = "pod_processes: 3\n    namespaces: [shop-0, shop-1, shop-0, shop-2]\n    namespaces_exclude: [shop-2, shop-3]"
    text = FAST.replace("kube_state:", f"kube_state:\n    {selection}")
    wanted = sum(1 for namespace, _ in server.state.collections["pods"].objects if namespace in ("shop-0", "shop-1"))
    with start_agent(text, url=server.url) as agent:
        agent.wait_ready()
        pods = [line.rpartition(" ")[0] for line in agent.page().split("\n") if line.startswith("kube_pod_info{")]
        assert len(pods) == len(set(pods)) == wanted > 0
        assert len(agent.named("telegen-watch-pods-1")) > 0
        assert 'telegen_store_objects{store="pods/shop-0"}' in agent.page("/telemetry")


def test_parts_of_a_store_add_up(server: SimulatedServer) -> None:
    """The agent's own metrics count the pods of all pod_processes, also after a change of their number."""
    text = FAST.replace("kube_state:", "kube_state:\n    pod_processes: {processes}")
    with start_agent(text, url=server.url, processes=3) as agent:
        agent.wait_ready()
        for processes in (2, 1, 3):
            agent.configure(text.format(port=agent.port, url=server.url, processes=processes))
            wait_for("the processes", lambda: agent.page("/telemetry").count('heartbeat_age_seconds{worker="watch-pods') == processes, 10)
            wait_for("all pods", lambda: 'telegen_store_objects{store="pods"} 60.0' in agent.page("/telemetry"), 10)


@pytest.mark.parametrize("wait", [0.0, 0.02, 0.05, 0.1])
def test_term_at_the_start(server: SimulatedServer, wait: float) -> None:
    """SIGTERM right after the processes were forked ends each of them; none has to be killed."""
    with start_agent(FAST, url=server.url) as agent:
        wait_for("its socket", lambda: "listens on" in agent.log.read_text(), 10, 0.002)
        time.sleep(wait)
        agent.process.terminate()
        assert agent.process.wait(30) == 0
        assert "killed" not in agent.log.read_text()


def test_union_of_shards_is_the_page_of_one_agent(server: SimulatedServer) -> None:
    """The pages of two shards have no sample in common, and their union is the page of one agent, also with pod_processes."""
    def samples(extra: str) -> list[str]:
        text = FAST.replace("kube_state:", f"kube_state:{extra}")
        with start_agent(text, url=server.url) as agent:
            agent.wait_ready()
            return [line for line in agent.page("/metrics/kubestate").split("\n") if line and line[0] != "#"]

    whole = samples("")
    shards = [samples(f"\n    total_shards: 2\n    shard: {shard}\n    pod_processes: {shard + 1}") for shard in range(2)]
    assert all(len(whole) / 4 < len(shard) for shard in shards)
    assert sorted(shards[0] + shards[1]) == sorted(whole)
    assert len(set(whole)) == len(whole) > 1000


def test_demo_shows_series_that_move(tmp_path: Path) -> None:
    """--demo serves a simulated cluster that keeps changing."""
    with start_agent("kube_metrics: {{listen_address: '127.0.0.1:{port}'}}", "--demo", "--demo-pods", "30") as agent:
        agent.wait_ready()
        first = agent.page("/metrics?resources=pods,deployments")
        assert first.count("\nkube_pod_info{") >= 20
        agent.wait_page("a change", lambda page: page and agent.page("/metrics?resources=pods,deployments") != first, 20)


def test_children_are_killed_first_when_memory_runs_out(agent: Agent) -> None:
    """The kernel prefers every process of the agent to the supervisor: their oom_score_adj is higher."""

    def score(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    own = score(agent.process.pid)
    assert own == score(os.getpid())
    children = psutil.Process(agent.process.pid).children(recursive=True)
    assert len(children) > 2 and {score(child.pid) for child in children} == {min(1000, own + 300)}


def test_start_from_a_folder_that_others_cannot_enter(tmp_path: Path) -> None:
    """An agent that root starts in a folder of mode 0700 serves, though its web processes run as another user."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-m", "telegen.supervisor", "--demo", "--demo-pods", "5", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stderr=output)
    try:
        Agent(process, port, Path(), log).wait_ready()
    finally:
        process.terminate()
        assert process.wait(60) == 0
