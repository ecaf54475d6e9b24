"""The role adapter: its command, its plan, and the rules file that the supervisor follows."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from telegen.cli.adapter import serving_arguments
from telegen.cli.main import main
from telegen.config import Config, ConfigError
from telegen.config.adapter_validation import adapter_problems
from telegen.config.model import Supervising
from telegen.config.types import Duration
from telegen.config.validation import problems
from telegen.shm.shared_document import SharedDocument
from telegen.supervisor.adapter_plan import make_adapter_plan
from telegen.supervisor.config_files import split_files
from telegen.supervisor.roles import ADAPTER
from telegen.supervisor.rules_file import RulesPublisher

CONFIG = Config()
RULES = "rules: []\n"


class Reloads:
    """Counts reloads by result, as `Telemetry` does."""

    def __init__(self) -> None:
        self.reloads, self.results = self, list[str]()

    def labels(self, result: str) -> Reloads:
        self.results.append(result)
        return self

    def inc(self) -> None:
        pass


@pytest.mark.parametrize(
    ("arguments", "served"),
    [
        ([], []),
        (["serve"], []),
        (["serve", "--check"], ["--check"]),
        (["--secure-port=1"], ["--secure-port=1"]),
        (["check"], None),
        (["explain", "x"], None),
        (["--help"], None),
    ],
)
def test_serving_is_the_default_action(arguments: list[str], served: list[str] | None) -> None:
    """Without an action, `telegen adapter` has the arguments of `serve`."""
    assert serving_arguments(arguments) == served


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`telegen adapter --check` shows what would be served, and what is wrong."""
    path = tmp_path / "c.yaml"
    adapter = "{agents_service: '', tls: {cert_file: a, key_file: b}}"
    path.write_text(f"kube_metrics: {{kube_state: {{apiserver: 'http://127.0.0.1:1'}}}}\nadapter: {adapter}\n")
    assert main(["adapter", "--check", "--config", str(path)]) == 0
    assert "serves metrics.k8s.io, custom.metrics.k8s.io, external.metrics.k8s.io" in capsys.readouterr().out
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    assert main(["adapter", "--check"]) == 2
    assert capsys.readouterr().err.startswith("telegen: adapter: no API server found")


def test_plan_has_no_agent() -> None:
    """No process watches objects or samples a node, and the one that serves comes last."""
    kinds = [one.kind for one in make_adapter_plan(CONFIG, {"POD_NAMESPACE": "telegen"}, "http://127.0.0.1:1").assignments]
    assert kinds[-1] == "adapter" and not {"watch", "custom", "sample", "web", "elect"} & set(kinds)
    assert ADAPTER.listeners == ("adapter.listen_address", "adapter.telemetry_address")


def test_time_to_drain() -> None:
    """The grace period must hold the time to drain and that of the last responses; agents are not concerned."""
    short = replace(CONFIG, supervisor=Supervising(grace_period=Duration(6)))
    with pytest.raises(ConfigError, match=r"adapter.drain: must be at least 2 s less than supervisor.grace_period \(6s\), not 5s"):
        make_adapter_plan(short, {"POD_NAMESPACE": "telegen"}, "http://127.0.0.1:1")
    assert not list(problems(short)) and not list(adapter_problems(short))


def test_files_of_config(tmp_path: Path) -> None:
    """A file with the keys of rules is a rules file, and any other is one of settings, also if it cannot be read."""
    rules, config = tmp_path / "rules", tmp_path / "config"
    rules.write_text("# comment\nexternalRules: []\n")
    config.write_text("adapter: {workers: 2}\n")
    assert split_files([]) == (None, "")
    assert split_files([str(rules), str(config)]) == (str(config), str(rules))
    assert split_files([str(tmp_path / "absent")]) == (str(tmp_path / "absent"), "")
    with pytest.raises(ConfigError, match="both files of settings"):
        split_files([str(config), str(tmp_path / "absent")])


def test_rules_that_cannot_be_used_leave_the_old_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A rules file is published when it changes; one that is broken, empty or gone leaves the last content that was good."""
    path, shared, reloads = tmp_path / "rules.yaml", SharedDocument("rules", 1 << 16), Reloads()
    path.write_text(RULES)
    publisher = RulesPublisher(shared, reloads)  # type: ignore[arg-type]
    publisher.adopt(str(path), publisher.load(str(path)))
    assert shared.read() == (1, RULES.encode())
    for text in ("rules: [", "[]", "", "rules: {}"):
        path.write_text(text)
        publisher.follow()
        assert shared.read() == (1, RULES.encode()), text
    path.unlink()
    publisher.follow()
    path.write_text("externalRules: []\n")
    publisher.follow()
    assert shared.read() == (2, b"externalRules: []\n")
    assert reloads.results == ["error"] * 4 + ["success"]
    assert caplog.text.count("the old rules stay in force") == 4
    publisher.adopt("", publisher.load(""))
    assert shared.read()[1] == b""
    shared.close()
