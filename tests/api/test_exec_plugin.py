"""Exec plugins: what they are given, what they may print, and how they end."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from telegen.api.cluster import NoCredentials
from telegen.api.exec_plugin import plugin_credentials
from tests.process_tree import wait_for

VERSION = "client.authentication.k8s.io/v1"


def run(folder: Path, script: str, limit: float = 20.0, **entry: Any) -> dict[str, Any]:
    """Run a plugin that is this shell script."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    cluster = {"server": "https://s", "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"a": 1}}]}
    return plugin_credentials({"apiVersion": VERSION, "command": "./plugin", **entry}, cluster, folder, dict(os.environ), limit)


def credential(**status: str) -> str:
    """Shell command that prints a credential."""
    return f"echo '{json.dumps({'apiVersion': VERSION, 'kind': 'ExecCredential', 'status': status})}'"


def test_token_and_certificate(tmp_path: Path) -> None:
    """A token and a certificate with its key become fields of the user."""
    assert run(tmp_path, credential(token="t")) == {"token": "t"}
    found = run(tmp_path, credential(clientCertificateData="c", clientKeyData="k"))
    assert {name: base64.b64decode(value) for name, value in found.items()} == {"client-certificate-data": b"c", "client-key-data": b"k"}


def test_what_a_plugin_is_given(tmp_path: Path) -> None:
    """Arguments, variables, the folder, and the cluster with the extension for plugins; no terminal and no input."""
    script = f'echo "$1 $X $PWD $(cat)" > seen; echo "$KUBERNETES_EXEC_INFO" > info; {credential(token="t")}'
    run(tmp_path, script, args=["one"], env=[{"name": "X", "value": "two"}], provideClusterInfo=True)
    assert (tmp_path / "seen").read_text() == f"one two {tmp_path} \n"
    info = json.loads((tmp_path / "info").read_text())
    assert info["apiVersion"] == VERSION and info["spec"]["interactive"] is False
    assert info["spec"]["cluster"]["server"] == "https://s" and info["spec"]["cluster"]["config"] == {"a": 1}


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("exit 3", "exit status 3"),
        ("echo no login >&2; exit 1", "exit status 1: no login"),
        ("kill -9 $$", "exit status -9"),
        ("true", "its output is not JSON"),
        ("echo secret-output", "its output is not JSON"),
        ("head -c 300 /dev/urandom", "its output is not JSON"),
        ("echo '[1]'", "its output has no status"),
        ("echo '{}'", "its output has no status"),
        ("echo '{\"status\": 5}'", "its output has no status"),
        ("echo '{\"status\": {}}'", "its output has another apiVersion"),
        (credential(token=""), "neither a token nor a certificate"),
        (credential(clientCertificateData="c"), "neither a token nor a certificate"),
    ],
)
def test_plugins_that_fail(tmp_path: Path, script: str, cause: str) -> None:
    """The error names the plugin and the cause, and nothing of its output."""
    with pytest.raises(NoCredentials, match=f"the exec plugin './plugin' gave no credentials: .*{cause}") as failure:
        run(tmp_path, script)
    assert "secret" not in str(failure.value)


def test_plugin_that_is_missing(tmp_path: Path) -> None:
    """A command that cannot be started is an error."""
    with pytest.raises(NoCredentials, match="No such file"):
        run(tmp_path, "true", command="./absent")


def test_plugin_that_hangs(tmp_path: Path) -> None:
    """A plugin has a limit; at it the plugin ends with its own children."""
    with pytest.raises(NoCredentials, match="no end within 3 s"):
        run(tmp_path, "sleep 1000 & echo $! > child; wait", limit=3.0)
    wait_for("its end", lambda: has_ended(tmp_path / "child"), 20)


def has_ended(file: Path) -> bool:
    """True if the process whose pid is in a file has ended, reaped or not."""
    try:
        return psutil.Process(int(file.read_text())).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_plugin_ends_with_its_parent(tmp_path: Path) -> None:
    """A plugin does not outlive a process of the agent that was killed."""
    if (parent := os.fork()) == 0:
        try:
            run(tmp_path, "echo $$ > pid; exec sleep 1000")
        finally:
            os._exit(0)
    wait_for("the plugin", lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"), 20)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    wait_for("its end", lambda: has_ended(tmp_path / "pid"), 20)
