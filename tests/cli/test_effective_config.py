"""`telegen config`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telegen.cli.main import main
from telegen.config import load

TEXT = """\
web: {workers: 3, threads: 2}
kubernetes: {cluster_name: a$$x}
kube_metrics:
  node_name: a
  kube_state:
    resources: [pods]
    labels_allowlist: {pods: [app, '*']}
    clusters: [{name: east, kubeconfig: /east}]
"""


def test_values_and_origins(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting has its value and its origin, and the output is a file that gives the same configuration."""
    path = tmp_path / "telegen.yaml"
    path.write_text(TEXT)
    monkeypatch.setenv("TELEGEN_WEB__WORKERS", "4")
    assert main(["config", "--config", str(path), "--port", "8080"]) == 0
    shown = capsys.readouterr().out
    lines = {line.split(":")[0].strip(): " ".join(line.split()) for line in shown.splitlines()}
    assert lines["workers"] == "workers: 4 # TELEGEN_WEB__WORKERS"
    assert lines["listen_address"] == "listen_address: :8080 # --port"
    assert lines["threads"] == f"threads: 2 # {path}:1"
    assert lines["resources"] == f"resources: [pods] # {path}:6"
    assert lines["read_timeout"] == "read_timeout: 10s # default"
    again = tmp_path / "again.yaml"
    again.write_text(shown)
    monkeypatch.delenv("TELEGEN_WEB__WORKERS")
    flags = {"port": ["8080"]}
    assert load(str(again), {}) == load(str(path), {"TELEGEN_WEB__WORKERS": "4"}, flags)


def test_invalid_configuration(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is that of the agent."""
    monkeypatch.setenv("TELEGEN_LISTEN_ADDRESS", ":80")
    assert "TELEGEN_LISTEN_ADDRESS" in os.environ
    assert main(["config"]) == 2
    message = "the variable names no setting; TELEGEN_WEB__WORKERS, for example, sets web.workers"
    meant = "; did you mean TELEGEN_KUBE_METRICS__LISTEN_ADDRESS?"
    assert capsys.readouterr().err == f"telegen: TELEGEN_LISTEN_ADDRESS: {message}{meant}\n"
