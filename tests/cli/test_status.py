"""`telegen status`, `telegen completion`, and errors of the command line."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from telegen.cli.completion import SHELLS
from telegen.cli.main import main
from telegen.cli.status import seconds, size

STATUS: dict[str, Any] = {
    "agent": {"version": "1.2.3", "up": 90.0, "reason": "watches the cluster", "time": 1000.0, "authenticated": True},
    "ready": False,
    "problems": ["pods: not synced yet"],
    "notes": ["secrets: 403 Forbidden"],
    "totals": {"objects": 1234, "series": 5678, "bytes": 2_500_000, "stored": 400_000},
    "processes": [
        {"name": "watch-pods", "state": "running", "pid": 7, "up": 60.0, "restarts_in": 0.0, "beat": 0.5, "memory": 45e6, "restarts": 2},
        {"name": "web", "state": "restarting", "pid": 0, "up": 0.0, "restarts_in": 3.0, "beat": 0.0, "memory": 0, "restarts": 9},
    ],
    "resources": [
        {"name": "pods", "objects": 5, "series": 15, "bytes": 900, "state": "failed", "out_of_sync": 30.0, "age": 40.0, "cause": "gone"},
        {"name": "jobs", "objects": 0, "series": 0, "bytes": 0, "state": "synced", "out_of_sync": 0.0, "age": 3.0, "cause": ""},
    ],
    "shards": [{"lease": "telegen-shard-0", "served": True, "holder": "a"}],
    "warnings": [{"process": "web", "time": 990.0, "text": "broken"}],
}


class Agent(ThreadingHTTPServer):
    """An agent that answers from `pages`, and keeps the Authorization headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = {"/status.json": json.dumps(STATUS).encode()}
        self.seen: list[str | None] = []

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """Send a page, or 401 for one that does not exist."""
        assert isinstance(self.server, Agent)
        self.server.seen.append(self.headers.get("Authorization"))
        body = self.server.pages.get(self.path.partition("?")[0])
        self.send_response(401 if body is None else 200)
        content = b"Unauthorized: needs a password\n" if body is None else body
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def agent() -> Iterator[Agent]:
    """A running agent."""
    with Agent() as made:
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_status(agent: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    """The state is a page of text, with exit status 1 for an agent that is not ready; --json prints what the agent sent."""
    assert main(["status", agent.address]) == 1
    assert capsys.readouterr().out == """\
telegen 1.2.3, up 90 s: not ready
watches the cluster
problem: pods: not synced yet
note: secrets: 403 Forbidden
1,234 objects, 5,678 series, 2.5 MB (400 kB compressed)

PROCESS     STATE                PID  UP    MEMORY   RESTARTS  LAST BEAT
watch-pods  running              7    60 s  45.0 MB  2         500 ms ago
web         restarting in 3.0 s                      9

RESOURCE  STATE                 CHANGED   OBJECTS  SERIES  TEXT
pods      failed for 30 s: gone  40 s ago  5        15      900 B
1 more resources are in sync and have no objects.
shard telegen-shard-0: served here, holder a
warning 10 s ago, web: broken
""".replace("STATE                 CHANGED", "STATE                  CHANGED")
    assert main(["status", f"http://{agent.address}/", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == STATUS


def test_credentials(agent: Agent, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A password or a token comes from a file; a refusal is one line with the agent's reason."""
    (tmp_path / "secret").write_text("secret\n")
    main(["status", agent.address, "--user", "ann", "--password-file", str(tmp_path / "secret")])
    main(["status", agent.address, "--token-file", str(tmp_path / "secret")])
    assert agent.seen == ["Basic YW5uOnNlY3JldA==", "Bearer secret"]
    agent.pages = {}
    capsys.readouterr()
    assert main(["status", agent.address]) == 2
    line = f"telegen: http://{agent.address}/status.json: status 401: Unauthorized: needs a password\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["status", "127.0.0.1:1"], "http://127.0.0.1:1: [Errno 111] connection refused"),
        (["status", "--user", "ann"], "--user: needs --password-file, and the other way round"),
        (["status", "--token-file", "/none"], "/none: No such file or directory"),
        (["status", "--ca-file", "/none"], "--ca-file, --cert-file: [Errno 2] No such file or directory"),
        (["top", "127.0.0.1:1", "--once"], "http://127.0.0.1:1: [Errno 111] connection refused"),
    ],
)
def test_no_answer(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each failure is one line, with exit status 2."""
    assert main(arguments) == 2
    assert capsys.readouterr().err.lower() == f"telegen: {line}\n".lower()


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]"])
def test_other_servers(agent: Agent, body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that is no agent is one line, with exit status 2."""
    agent.pages = {"/status.json": body, "/metrics": b"x{"}
    assert main(["status", agent.address]) == 2
    assert capsys.readouterr().err == f"telegen: http://{agent.address}/status.json: not the status of an agent\n"
    assert main(["top", "--once", agent.address]) == 2
    assert capsys.readouterr().err.startswith(f"telegen: http://{agent.address}/metrics: not a page of metrics: ")


def test_token_that_is_no_header(agent: Agent, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of several lines is an error that does not repeat it; a password may have any characters."""
    path = tmp_path / "secret"
    path.write_text("hush\nhush")
    assert main(["status", agent.address, "--token-file", str(path)]) == 2
    assert capsys.readouterr().err == f"telegen: {path}: expected a token on one line\n"
    path.write_text("東京")
    main(["status", agent.address, "--user", "ann", "--password-file", str(path)])
    assert agent.seen == ["Basic " + base64.b64encode("ann:東京".encode()).decode()]


def test_address_of_the_configuration(agent: Agent, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The address is that of the configuration: HTTPS if the web configuration file has TLS, plain with passwords alone."""
    config, web = tmp_path / "config.yaml", tmp_path / "web.yml"
    config.write_text(f"kube_metrics: {{listen_address: '{agent.address}'}}\nweb: {{web_config_file: {web}}}\n")
    web.write_text("basic_auth_users: {}")
    assert main(["status", "--config", str(config)]) == 1
    web.write_text("tls_server_config: {cert_file: a, key_file: b}")
    assert main(["status", "--config", str(config)]) == 2
    assert capsys.readouterr().err.startswith(f"telegen: https://{agent.address}: ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["stats"], "telegen: unknown command 'stats', did you mean status?; see telegen --help"),
        (["status", "--jsn"], "telegen: unknown argument --jsn, did you mean --json?; see telegen status --help"),
        (["run", "--prot=80"], "telegen: unknown argument --prot=80, did you mean --port?; see telegen run --help"),
        (["run", "--zzzzz", "--yyyyy"], "telegen: unknown argument --zzzzz; see telegen run --help"),
        (["completion", "tcsh"], "telegen: shell: expected bash, zsh or fish, got 'tcsh'; see telegen completion --help"),
        (["custom", "chek"], "telegen: unknown command 'chek', did you mean check?; see telegen custom --help"),
        ([], "telegen: the following arguments are required: COMMAND; see telegen --help"),
        (["top", "--interval", "x"], "telegen: argument --interval: expected seconds from 0.1 to 3600, got 'x'; see telegen top --help"),
        (["status", "--js"], "telegen: unknown argument --js, did you mean --json?; see telegen status --help"),
    ],
)
def test_unknown_arguments(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the command line is one line with a hint, and no screen of usage."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out, captured.err) == (2, "", f"{line}\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_completion(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each shell gets a script with every command and the flags of `telegen run`; the shell parses it, if it is installed."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("status", "check-config", "completion", "metric-labels-allowlist", "once"):
        assert word in script
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True, timeout=100)


def test_completion_in_bash(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Bash completes a command and an option of it."""
    main(["completion", "bash"])
    (tmp_path / "script").write_text(capsys.readouterr().out)

    def complete(*words: str) -> set[str]:
        line = " ".join(words)
        command = (
            f"source {tmp_path}/script; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; "
            f"COMP_POINT={len(line)}; _shtab_telegen {words[0]} {words[-1]} {words[-2]}; echo ${{COMPREPLY[@]}}"
        )
        return set(subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=100).stdout.split())

    assert complete("telegen", "stat") == {"status"}
    assert "--metric-denylist" in complete("telegen", "run", "--metric-d")


@pytest.mark.parametrize(("value", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e8, "250 MB"), (3e12, "3000.0 GB")])
def test_sizes(value: float, text: str) -> None:
    """Sizes have a unit and at most three digits."""
    assert size(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.2, "200 ms"), (5, "5.0 s"), (90, "90 s"), (600, "10 min"), (7200, "2.0 h"), (1e6, "12 d")]
)
def test_times(value: float, text: str) -> None:
    """Times have a unit."""
    assert seconds(value) == text
