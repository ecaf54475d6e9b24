"""`telegen config`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from telegen.cli.effective_config import effective_lines
from telegen.cli.main import main
from telegen.config import Config, load
from telegen.config.load import load_with_origins
from telegen.config.settings import is_effective, settings

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
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "workers: 4 # TELEGEN_WEB__WORKERS" in lines
    assert "listen_address: :8080 # --port" in lines
    assert f"threads: 2 # {path}:1" in lines
    assert f"resources: [pods] # {path}:6" in lines
    assert "read_timeout: 10s # default" in lines
    again = tmp_path / "again.yaml"
    again.write_text(shown)
    monkeypatch.delenv("TELEGEN_WEB__WORKERS")
    flags = {"port": ["8080"]}
    assert load(str(again), {}) == load(str(path), {"TELEGEN_WEB__WORKERS": "4"}, flags)


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The help describes this command, not the agent whose options it has."""
    with pytest.raises(SystemExit):
        main(["config", "--help"])
    assert "\n\nPrint the configuration" in capsys.readouterr().out


def test_invalid_configuration(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is that of the agent."""
    monkeypatch.setenv("TELEGEN_LISTEN_ADDRESS", ":80")
    assert "TELEGEN_LISTEN_ADDRESS" in os.environ
    assert main(["config"]) == 2
    message = "the variable names no setting; TELEGEN_WEB__WORKERS, for example, sets web.workers"
    meant = "; did you mean TELEGEN_KUBE_METRICS__LISTEN_ADDRESS or TELEGEN_ADAPTER__LISTEN_ADDRESS?"
    assert capsys.readouterr().err == f"telegen: TELEGEN_LISTEN_ADDRESS: {message}{meant}\n"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what `telegen config` prints."""
    assert main(["config", *arguments]) == 0
    return capsys.readouterr().out


def paths(block: dict[str, Any], known: set[str], prefix: str = "") -> Iterator[str]:
    """Yield the paths of the settings in a file; a value may be a mapping as well."""
    for name, value in block.items():
        path = f"{prefix}{name}"
        if path not in known and isinstance(value, dict):
            yield from paths(value, known, f"{path}.")
        else:
            yield path


def test_full_file_has_every_setting(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """telegen-full.yaml has each setting of the model once, with its default, and the agent loads it."""
    file = tmp_path / "telegen-full.yaml"
    file.write_text(printed(capsys, "--full"))
    known = {path for path, _, _ in settings()}
    assert sorted(paths(yaml.safe_load(file.read_text()), known)) == sorted(known)
    assert load(str(file), {}) == Config()


def test_full_file_has_the_help_of_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """The comment above each setting is its help; a setting without effect is marked."""
    found, comment = [], ""
    for line in map(str.strip, printed(capsys, "--full").splitlines()):
        if line.startswith("#"):
            comment += f" {line[2:]}"
            continue
        if not line.endswith(":"):
            found.append((line.partition(":")[0], comment.strip()))
        comment = ""
    mark = {True: "", False: " No effect."}
    expected = [(path.rpartition(".")[2], f"{meta.description}{mark[is_effective(meta)]}") for path, _, meta in settings()]
    assert found == expected


def test_full_file_takes_no_options(capsys: pytest.CaptureFixture[str]) -> None:
    """--full prints defaults only: beside another option it is an error."""
    assert main(["config", "--full", "--port", "80"]) == 2
    assert capsys.readouterr().err == "telegen: telegen config --full prints the defaults and takes no other option\n"


def test_values_of_headers_are_hidden(tmp_path: Path) -> None:
    """Values of headers, which may be tokens, are shown neither from the file nor from a variable in it."""
    path = tmp_path / "config.yaml"
    path.write_text("kube_metrics: {otlp: {headers: {authorization: Bearer abc, x-key: '${KEY}'}}}")
    config, origins = load_with_origins(str(path), {"KEY": "123"})
    assert config.kube_metrics.otlp.headers == {"authorization": "Bearer abc", "x-key": "123"}
    text = "\n".join(effective_lines(config, origins))
    assert "{authorization: (hidden), x-key: (hidden)}" in text and "abc" not in text
