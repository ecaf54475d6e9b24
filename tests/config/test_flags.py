"""The flags of kube-state-metrics: settings, refusals and their messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from telegen.config import Config, ConfigError
from telegen.config.flags import FLAGS, Flag, flag_warnings, ignored_flags, read_allowlist
from telegen.config.settings import settings, value_at
from telegen.supervisor.__main__ import main
from telegen.supervisor.run_options import parse_run_options, parser

STATE = "kube_metrics.kube_state"

KUBE_STATE_METRICS = """
apiserver auth-filter auto-gomemlimit auto-gomemlimit-ratio config continue-without-config custom-resource-state-config
custom-resource-state-config-file continue-without-custom-resource-state-config-file custom-resource-state-only
enable-gzip-encoding help host port telemetry-host telemetry-port kubeconfig metric-allowlist metric-denylist
metric-opt-in-list metric-annotations-allowlist metric-labels-allowlist namespaces namespaces-denylist node
track-unscheduled-pods object-limit pod pod-namespace resources server-read-timeout server-write-timeout
server-idle-timeout server-read-header-timeout shard total-shards tls-config use-apiserver-cache v vmodule logtostderr
alsologtostderr alsologtostderrthreshold stderrthreshold log_dir log_file log_file_max_size log_backtrace_at add_dir_header skip_headers
skip_log_headers one_output
""".split()
"""Every flag of kube-state-metrics 2.20, klog's included."""


def read(*line: str, config: str | None = None, **environ: str) -> Config:
    """The configuration of a command line."""
    return parse_run_options([*line, *(["--config", config] if config else [])], environ).source.load()


SET: list[tuple[list[str], str, Any]] = [
    (["--resources=pods, nodes,,", "--resources", "jobs"], f"{STATE}.resources", ("pods", "nodes", "jobs")),
    (["--resources="], f"{STATE}.resources", ()),
    (["--namespaces=a,b", "--namespaces=a"], f"{STATE}.namespaces", ("a", "b", "a")),
    (["--auth-filter"], "web.auth", "kubernetes"),
    (["--auth-filter=false"], "web.auth", "none"),
    (["--tls-config=web.yml"], "web.web_config_file", "web.yml"),
    (["--namespaces-denylist", "kube-system"], f"{STATE}.namespaces_exclude", ("kube-system",)),
    (["--metric-allowlist=kube_pod_.*,kube_node"], f"{STATE}.metric_allowlist", ("kube_pod_.*", "kube_node")),
    (["--metric-denylist", "^kube_.+_created$"], f"{STATE}.metric_denylist", ("^kube_.+_created$",)),
    (["--metric-opt-in-list=a", "--metric-opt-in-list=b"], f"{STATE}.metric_opt_in_list", ("a", "b")),
    (["--metric-labels-allowlist=pods=[a]", "--metric-labels-allowlist=nodes=[*]"], f"{STATE}.labels_allowlist", {"nodes": ("*",)}),
    (["--metric-annotations-allowlist", "*=[a,b*]"], f"{STATE}.annotations_allowlist", {"*": ("a", "b*")}),
    (["--node=n-1.example"], f"{STATE}.node", "n-1.example"),
    (["--track-unscheduled-pods"], f"{STATE}.track_unscheduled_pods", True),
    (["--track-unscheduled-pods=false"], f"{STATE}.track_unscheduled_pods", False),
    (["--use-apiserver-cache=t"], f"{STATE}.use_apiserver_cache", True),
    (["--object-limit=100"], f"{STATE}.object_limit", 100),
    (["--shard=1", "--total-shards=4"], f"{STATE}.shard", 1),
    (["--shard", "1", "--total-shards", "4"], f"{STATE}.total_shards", 4),
    (["--pod=web-1", "--pod-namespace=shop"], f"{STATE}.pod", "web-1"),
    (["--pod=web-1", "--pod-namespace=shop"], f"{STATE}.pod_namespace", "shop"),
    (["--kubeconfig=/k"], f"{STATE}.kubeconfig", "/k"),
    (["--apiserver=https://10.0.0.1:6443"], f"{STATE}.apiserver", "https://10.0.0.1:6443"),
    (["--port=8080"], "kube_metrics.listen_address", ":8080"),
    (["--host=127.0.0.1"], "kube_metrics.listen_address", "127.0.0.1:9443"),
    (["--port=8080", "--host=::"], "kube_metrics.listen_address", ":8080"),
    (["--host=::1", "--port=8080"], "kube_metrics.listen_address", "[::1]:8080"),
    (["--telemetry-port=9081"], "kube_metrics.telemetry_address", ":9081"),
    (["--telemetry-host=::1"], "kube_metrics.telemetry_address", "[::1]:8081"),
    (["--server-read-timeout=1m0s"], "web.read_timeout", 60.0),
    (["--server-write-timeout=90s"], "web.write_timeout", 90.0),
    (["--server-idle-timeout=5m"], "web.idle_timeout", 300.0),
    (["--custom-resource-state-config=spec: {}"], f"{STATE}.custom_resource_state.config", "spec: {}"),
    (["--custom-resource-state-config-file", "/f"], f"{STATE}.custom_resource_state.config_file", "/f"),
    (["--custom-resource-state-only"], f"{STATE}.custom_resource_state.only", True),
    (
        ["--continue-without-custom-resource-state-config-file=true"],
        f"{STATE}.custom_resource_state.continue_without_config_file",
        True,
    ),
    (["-v", "2"], "log.level", "info"),
    (["-v=6"], "log.level", "debug"),
    (["--v=4"], "log.level", "debug"),
]


@pytest.mark.parametrize(("line", "key", "value"), SET, ids=[" ".join(line) for line, _, _ in SET])
def test_flags_set_keys(line: list[str], key: str, value: Any) -> None:
    """`--flag value` and `--flag=value`; repeated flags add up or replace each other as in kube-state-metrics."""
    assert value_at(read(*line), key) == value


def test_every_flag_that_sets_a_key_is_tried() -> None:
    """The table above has every flag that sets a key, and names existing keys."""
    keys = {path for path, _, _ in settings()}
    used = {argument.lstrip("-").partition("=")[0] for line, _, _ in SET for argument in line if argument.startswith("-")}
    for flag in FLAGS:
        if flag.key:
            assert flag.key in keys
            assert flag.name in used
        assert bool(flag.key) + bool(flag.ignored) + bool(flag.refused) == 1


def test_every_flag_is_known() -> None:
    """The parser has every flag of kube-state-metrics."""
    options = {option.lstrip("-") for action in parser()._actions for option in action.option_strings}
    assert set(KUBE_STATE_METRICS) <= options


BAD = [
    ("--object-limit=many", "--object-limit: expected a whole number, got 'many'"),
    ("--object-limit=-1", f"{STATE}.object_limit: expected a whole number >= 0 (set by --object-limit)"),
    ("--shard=3", f"{STATE}.shard: must be below total_shards (1), not 3 (set by --shard)"),
    ("--total-shards=0", f"{STATE}.total_shards: expected a whole number >= 1 (set by --total-shards)"),
    ("--port=http", "--port: expected a whole number, got 'http'"),
    ("--port=70000", "kube_metrics.listen_address: expected an address"),
    ("--host=a:b", "kube_metrics.listen_address: expected an address"),
    ("--telemetry-port=9443", "kube_metrics.telemetry_address: needs another port than listen_address"),
    ("--use-apiserver-cache=maybe", "--use-apiserver-cache: expected true or false, got 'maybe'"),
    ("--metric-allowlist=(", f"{STATE}.metric_allowlist"),
    ("--metric-labels-allowlist=pods", "--metric-labels-allowlist: character 1: expected a resource and =[...]"),
    ("--namespaces=../x", f"{STATE}.namespaces: '../x' is not a valid name of a namespace (set by --namespaces)"),
    ("--namespaces-denylist=a=b", f"{STATE}.namespaces_exclude: 'a=b' is not a valid name of a namespace"),
    ("--node=a,b", f"{STATE}.node: 'a,b' is not a valid name of a node (set by --node)"),
    ("--apiserver=10.0.0.1", f"{STATE}.apiserver: "),
    ("--server-read-timeout=60", "web.read_timeout: expected a duration"),
    ("-v=x", "--v: expected a whole number, got 'x'"),
]


@pytest.mark.parametrize("name", ["metric-labels-allowlist", "metric-annotations-allowlist"])
def test_star_without_names(name: str) -> None:
    """`*` alone allows nothing, as in kube-state-metrics, and gives a warning."""
    assert read(f"--{name}=*") == Config()
    assert list(flag_warnings({name: ["*"]})) == [
        f"--{name}: * without names allows nothing, as in kube-state-metrics; *=[*] allows everything"
    ]
    assert list(flag_warnings({name: ["*=[*]"]})) == []


@pytest.mark.parametrize(("flag", "message"), BAD, ids=[flag for flag, _ in BAD])
def test_bad_values(flag: str, message: str) -> None:
    """A value that cannot be parsed names the flag; an invalid setting names the key and the flag that set it."""
    with pytest.raises(ConfigError) as raised:
        read(flag)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag.refused], ids=lambda flag: flag.name)
def test_unsupported_flags_are_refused(flag: Flag, capsys: pytest.CaptureFixture[str]) -> None:
    """The agent does not start and prints the reason and the remedy. A flag that is switched off is accepted."""
    assert main([f"--{flag.name}={'true' if flag.switch else 'x'}", "--check"]) == 2
    assert capsys.readouterr().err == f"telegen: --{flag.name}: {flag.refused}\n"
    assert read(f"--{flag.name}={'false' if flag.switch else ''}") == Config()


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag.ignored], ids=lambda flag: flag.name)
def test_flags_without_effect_are_logged(flag: Flag) -> None:
    """Flags without effect are accepted; the log has a line for each."""
    source = parse_run_options([f"--{flag.name}=1"], {}).source
    assert source.load() == Config()
    assert list(ignored_flags(source.flags)) == [f"--{flag.name}: no effect: {flag.ignored}"]


def test_all_bad_flags_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """One line per flag."""
    assert main(["--log_dir=x", "--shard=x", "--log_file=y"]) == 2
    assert [line.split(":")[1] for line in capsys.readouterr().err.splitlines()] == [" --shard", " --log_dir", " --log_file"]


def test_flag_over_environment_over_file(tmp_path: Path) -> None:
    """A flag wins over a variable, which wins over the file; --port keeps the host of an address."""
    path = tmp_path / "config.yaml"
    path.write_text("kube_metrics: {listen_address: '127.0.0.1:1000', kube_state: {resources: [pods]}}\nlog:\n")
    name = "TELEGEN_KUBE_METRICS__KUBE_STATE__RESOURCES"
    config = read("--port=2000", "-v=5", config=str(path), **{name: "[nodes]"})
    assert config.kube_metrics.listen_address == "127.0.0.1:2000"
    assert config.log.level == "debug"
    assert config.kube_metrics.kube_state.resources == ("nodes",)
    path.write_text("")
    config = read("--resources=pods", config=str(path), **{name: "[nodes]"})
    assert config.kube_metrics.kube_state.resources == ("pods",)


def test_flag_below_what_is_no_block(tmp_path: Path) -> None:
    """A file with a number where the flag needs a block of settings is an error."""
    path = tmp_path / "config.yaml"
    path.write_text("kube_metrics: 5")
    with pytest.raises(ConfigError, match="^kube_metrics: --port needs a block of settings here, not a value \\(.*config.yaml:1\\)$"):
        read("--port=1", config=str(path))


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is an error unless --continue-without-config is set; an unreadable file always is."""
    missing = str(tmp_path / "none")
    with pytest.raises(ConfigError, match="No such file"):
        read(config=missing)
    assert read("--continue-without-config", config=missing) == Config()
    with pytest.raises(ConfigError, match="not a regular file"):
        read("--continue-without-config=true", config=str(tmp_path))
    with pytest.raises(SystemExit):
        read("--continue-without-config=maybe", config=missing)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels_allow_list: {pods: [a]}", f"labels_allow_list: unknown key: .*use {STATE}.labels_allowlist"),
        ("resources: {pods: {}}", f"resources: unknown key: .*use {STATE}.resources"),
        ("namespace: x", f"namespace: unknown key: .*use {STATE}.pod_namespace"),
        ("use_api_server_cache: true", f"use_api_server_cache: unknown key: .*use {STATE}.use_apiserver_cache"),
        ("auto-gomemlimit: true", "auto-gomemlimit: unknown key: .*no effect"),
        ("custom_resource_config: {}", f"custom_resource_config: unknown key: .*use {STATE}.custom_resource_state.config"),
        ("tls_config: x", "tls_config: unknown key: .*use web.web_config_file"),
    ],
)
def test_file_of_kube_state_metrics(tmp_path: Path, text: str, message: str) -> None:
    """For a configuration file of kube-state-metrics the error names the setting of this agent."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read(config=str(path))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("pods=[]", {"pods": []}),
        ("pods=[a]", {"pods": ["a"]}),
        (" pods=[ a , b ] , nodes=[*]", {"pods": ["a", "b"], "nodes": ["*"]}),
        ("*=[app.kubernetes.io/*,*/x]", {"*": ["app.kubernetes.io/*", "*/x"]}),
    ],
)
def test_allowlists(text: str, value: dict[str, list[str]]) -> None:
    """Resources with their keys in brackets; white space around names is ignored."""
    assert read_allowlist(text) == value


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("pods", 1),
        ("pods=", 6),
        ("pods=a", 6),
        ("pods= [a]", 6),
        ("pods=[a", 6),
        ("pods=[a]nodes=[b]", 9),
        ("pods=[a],", 10),
        ("pods=[a],,nodes=[b]", 10),
        ("=[a]", 1),
        ("[a]", 1),
        ("pods=[a,]", 9),
        ("pods=[,a]", 7),
        ("pods=[a,,b]", 9),
        ("pods=[a=b]", 7),
        ("pods=[a[b]", 7),
        ("pods=[a]]", 9),
    ],
)
def test_bad_allowlists(text: str, place: int) -> None:
    """The error gives the character at which parsing failed."""
    with pytest.raises(ValueError, match=f"^character {place}: "):
        read_allowlist(text)
