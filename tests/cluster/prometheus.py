"""Run a real Prometheus, promtool and the Prometheus operator's generator of configurations."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from tests.cluster.binaries import OPERATOR, PROMETHEUS, PROMTOOL, need
from tests.harness import free_port, get
from tests.process_tree import wait_for

Object = dict[str, Any]


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[Any]:
        """Return the result of an instant query; a number is one sample without labels.

        Raises:
            ValueError: Prometheus cannot evaluate the expression; the message gives the reason.
        """
        data = self._get(f"query?query={quote(expression)}")
        return [{"metric": {}, "value": data["result"]}] if data["resultType"] in ("scalar", "string") else list(data["result"])

    def targets(self) -> list[Any]:
        """Return the active targets."""
        return list(self._get("targets?state=active")["activeTargets"])

    def rules(self) -> list[Any]:
        """Return all rules."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def is_up(self) -> bool:
        """Return True if it listens and has read its storage."""
        with contextlib.suppress(OSError):
            return get(f"{self.url}/-/ready", timeout=5).status == 200
        return False

    def _get(self, path: str) -> Any:
        answer = json.loads(get(f"{self.url}/api/v1/{path}", timeout=30).body)
        if answer["status"] != "success":
            raise ValueError(answer["error"])
        return answer["data"]


@contextlib.contextmanager
def prometheus(config: Object, folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus with a configuration; its files are in `folder`."""
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [str(need([PROMETHEUS], os.environ)[0]), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    running = Prometheus(f"http://127.0.0.1:{port}")

    def is_up() -> bool:
        assert process.poll() is None, (folder / "prometheus.log").read_text()[-4000:]
        return running.is_up()

    try:
        wait_for("Prometheus", is_up, 30, 0.1)
        yield running
    finally:
        process.terminate()
        process.wait(120)


def promtool(*arguments: str | Path, text: str = "") -> str:
    """Run promtool with `text` as standard input; return its output.

    Raises:
        AssertionError: its exit status was not 0; the message has its output.
    """
    command = [*need([PROMTOOL], os.environ), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


SHARD = {"$(SHARD)": "0", "$(POD_NAME)": "prometheus-0"}
"""Variables that the operator's reloader replaces in the configuration."""


def operator_config(prometheus: Object, objs: Iterable[Object]) -> Any:
    """Return the configuration that the operator makes for a Prometheus of some monitors; it checks PrometheusRules.

    Raises:
        AssertionError: an object is invalid; the message gives the reason.
    """
    head = {"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus"}
    text = yaml.safe_dump_all([{**head, **prometheus}, *objs])
    command = need([OPERATOR], os.environ)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    for variable, value in SHARD.items():
        done.stdout = done.stdout.replace(variable, value)
    return yaml.safe_load(done.stdout)
