"""Settings of the adapter, and the flags of prometheus-adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from telegen.config import Config, ConfigError
from telegen.config.adapter_flags import ADAPTER_FLAGS
from telegen.config.flags import ignored_flags
from telegen.config.settings import settings, shown_value, value_at
from telegen.supervisor.configuration import load_checked
from telegen.supervisor.run_options import ADAPTER_COMMAND, parse_run_options

URL = "--prometheus-url=https://prom:9090/p"
RULES = "rules:\n- {seriesQuery: up, metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>})', resources: {template: <<.Resource>>}}\n"


def read(*line: str, **environ: str) -> Config:
    """Return the configuration of a command line."""
    return load_checked(parse_run_options(line, environ, ADAPTER_COMMAND).source)


SET: list[tuple[list[str], str, Any]] = [
    (["--secure-port=6443"], "adapter.listen_address", ":6443"),
    (["--bind-address=0.0.0.0", "--secure-port=6443"], "adapter.listen_address", "0.0.0.0:6443"),
    (["--bind-address=::1"], "adapter.listen_address", "[::1]:10250"),
    (["--metrics-relist-interval=1m0s"], "adapter.relist_interval", 60.0),
    (["--metrics-max-age=10m"], "adapter.max_age", 600.0),
    (["--tls-cert-file=/c", "--tls-private-key-file=/k"], "adapter.tls.key_file", "/k"),
    (["--lister-kubeconfig=/k"], "kube_metrics.kube_state.kubeconfig", "/k"),
    (["--v=6"], "log.level", "debug"),
]


@pytest.mark.parametrize(("line", "path", "value"), SET)
def test_flags_set_settings(line: list[str], path: str, value: Any) -> None:
    """Each flag of prometheus-adapter sets its setting."""
    assert value_at(read(*line), path) == value


def test_flags_of_servers() -> None:
    """The flags about Prometheus apply to every server; a repeated URL adds one, a repeated header adds up."""
    servers = read(
        URL, "--prometheus-url=http://other", "--prometheus-auth-incluster", "--prometheus-ca-file=/ca", "--prometheus-token-file=/t",
        "--prometheus-client-tls-cert-file=/c", "--prometheus-client-tls-key-file=/k", "--prometheus-header=X-Scope-OrgID=a=b",
        "--prometheus-header", "X-B=c", "--prometheus-verb=POST",
    ).adapter.prometheus  # fmt: skip
    assert [one.url for one in servers] == ["https://prom:9090/p", "http://other"]
    for one in servers:
        assert (one.in_cluster, one.ca_file, one.token_file, one.cert_file, one.key_file, one.post) == (True, "/ca", "/t", "/c", "/k", True)
        assert one.headers == {"X-Scope-OrgID": "a=b", "X-B": "c"}


def test_flags_beside_a_file(tmp_path: Path) -> None:
    """--config takes a file of settings, a rules file, or both; flags win over the file."""
    config, rules = tmp_path / "c.yaml", tmp_path / "r.yaml"
    config.write_text("adapter: {prometheus: [{url: 'http://a', timeout: 3s}], workers: 2}\n")
    rules.write_text(RULES)
    read_one = read("--config", str(config), "--config", str(rules), URL).adapter
    assert (read_one.workers, read_one.rules_file) == (2, str(rules))
    assert [(one.url, float(one.timeout)) for one in read_one.prometheus] == [("https://prom:9090/p", 3.0)]
    with pytest.raises(ConfigError, match="both files of rules"):
        read("--config", str(rules), "--config", str(rules))


BAD = [
    ("adapter: {tls: {lifetime: 24h, ca_lifetime: 48h}}", "adapter.tls.lifetime: must be a quarter of ca_lifetime (48h) at most, not 24h"),
    (
        "adapter: {tls: {propagation: 24h, ca_lifetime: 48h, lifetime: 1h}}",
        "adapter.tls.propagation: must be a quarter of ca_lifetime (48h) at most, not 24h",
    ),
    ("adapter: {groups: [metrics.k8s.io, metrics.k8s.io]}", "adapter.groups: metrics.k8s.io is listed 2 times"),
    ("adapter: {groups: [apps]}", "adapter.groups[0]: expected metrics.k8s.io, custom.metrics.k8s.io"),
    ("adapter: {telemetry_address: ':10250'}", "adapter.telemetry_address: needs another port than adapter.listen_address"),
    ("adapter: {service: A_b}", "adapter.service: expected 1 to 63 lower case letters"),
    ("adapter: {workers: 0}", "adapter.workers: "),
    ("adapter: {rules_file: /nowhere}", "adapter.rules_file: needs a server to ask"),
    ("adapter: {rules_file: /absent/r.yaml, prometheus: [{url: 'http://a'}]}", "adapter.rules_file: /absent/r.yaml: No such file"),
    ("adapter: {relist_interval: 10ms}", "adapter.relist_interval: must be at least 1s"),
    ("adapter: {max_age: 30s}", "adapter.max_age: must be 0s or at least relist_interval (1m), not 30s"),
    ("adapter: {tls: {cert_file: /c}}", "adapter.tls.cert_file: needs key_file"),
    ("adapter: {tls: {key_file: /k}}", "adapter.tls.key_file: needs cert_file"),
    ("adapter: {prometheus: [{}]}", "adapter.prometheus[0]: "),
    ("adapter: {prometheus: {url: x}}", "adapter.prometheus: "),
    ("adapter: {prometheus: [{url: ''}]}", "adapter.prometheus[0].url: expected http://HOST:PORT"),
    ("adapter: {prometheus: [{url: 'http://a?x=1'}]}", "adapter.prometheus[0].url: expected http://HOST:PORT"),
    ("adapter: {prometheus: [{url: 'http://a', cert_file: /c}]}", "adapter.prometheus[0].cert_file: needs key_file"),
    ("adapter: {prometheus: [{url: 'http://a', in_cluster: true, kubeconfig: /k}]}", "adapter.prometheus[0].in_cluster: cannot be used"),
    ("adapter: {prometheus: [{url: 'http://a', token_file: /t, kubeconfig: /k}]}", "adapter.prometheus[0].token_file: cannot be used"),
    ("adapter: {prometheus: [{url: 'http://a', headers: {'a b': x}}]}", "adapter.prometheus[0].headers: 'a b' is not a valid name"),
    ("adapter: {prometheus: [{url: 'http://a', headers: {Host: x}}]}", "adapter.prometheus[0].headers.Host: the adapter sets this"),
    ('adapter: {prometheus: [{url: "http://a", headers: {a: "x\\ny"}}]}', "adapter.prometheus[0].headers.a: expected printable ASCII"),
    ("adapter: {prometheus: [{url: 'http://a', timeout: 1ms}]}", "adapter.prometheus[0].timeout: must be at least 100ms"),
    ("adapter: {prometheus: [{url: 'http://a', max_response_size: 1KiB}]}", "adapter.prometheus[0].max_response_size: must be at least"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_settings(text: str, message: str, tmp_path: Path) -> None:
    """A bad setting is one line with its path and the cure."""
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read("--config", str(path))
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


BAD_FLAGS = [
    (["--prometheus-verb=PUT"], "--prometheus-verb: expected GET or POST, got 'PUT'"),
    (["--prometheus-header=secret"], "--prometheus-header: expected NAME=VALUE at occurrence 1"),
    (["--prometheus-auth-incluster=maybe"], "--prometheus-auth-incluster: expected true or false, got 'maybe'"),
    (["--audit-log-path=/x"], "--audit-log-path: there is no audit log"),
    (["--secure-port=x"], "--secure-port: expected a whole number, got 'x'"),
]


@pytest.mark.parametrize(("line", "message"), BAD_FLAGS)
def test_bad_flags(line: list[str], message: str) -> None:
    """A bad value of a flag is one line with its name."""
    with pytest.raises(ConfigError) as caught:
        read(URL, *line)
    assert str(caught.value).startswith(message)


def test_every_flag_has_an_effect_or_a_reason() -> None:
    """A flag names a setting that exists, or the reason why it has no effect, which the log shows."""
    known = {path for path, _, _ in settings()}
    for flag in ADAPTER_FLAGS:
        assert (flag.key in known) != bool(flag.ignored or flag.refused), flag.name
    assert list(ignored_flags({"cert-dir": ["/x"]})) == ["--cert-dir: no effect: certificates that the adapter makes are kept in a Secret"]


def test_secrets_are_not_shown() -> None:
    """Headers and passwords of servers appear nowhere."""
    config = read("--prometheus-url=http://u:secret@prom", "--prometheus-header=Authorization=secret")
    meta = next(meta for path, _, meta in settings() if path == "adapter.prometheus")
    assert "secret" not in str(shown_value(config, "adapter.prometheus", meta))
