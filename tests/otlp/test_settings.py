"""Settings of the receiver: configuration, standard variables, defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.config import ConfigError, load
from telegen.otlp.settings import GRPC, HTTP, interval, is_disabled, receiver

PREFIX = "OTEL_EXPORTER_OTLP_"


def config(folder: Path, otlp: str = "{}", streaming: str = "{}"):  # type: ignore[no-untyped-def]
    """Load a configuration."""
    path = folder / "config.yaml"
    path.write_text(f"kube_metrics: {{otlp: {otlp}, streaming: {streaming}}}")
    return load(str(path), {})


@pytest.mark.parametrize(
    ("otlp", "environ", "url"),
    [
        ("{}", {}, "http://localhost:4318/v1/metrics"),
        ("{}", {"ENDPOINT": "https://c:1/base/"}, "https://c:1/base/v1/metrics"),
        ("{}", {"ENDPOINT": " "}, "http://localhost:4318/v1/metrics"),
        ("{}", {"METRICS_ENDPOINT": "http://c/own?x=1", "ENDPOINT": "http://other"}, "http://c/own?x=1"),
        ("{}", {"METRICS_ENDPOINT": "http://c:4318"}, "http://c:4318/"),
        ("{endpoint: 'http://file:1'}", {"METRICS_ENDPOINT": "http://c/own"}, "http://file:1/v1/metrics"),
        ("{}", {"ENDPOINT": "http://c/in/?key=1"}, "http://c/in/v1/metrics?key=1"),
        ("{}", {"METRICS_ENDPOINT": "http://c?key=1"}, "http://c/?key=1"),
        ("{}", {"ENDPOINT": "http://[::1]:4318"}, "http://[::1]:4318/v1/metrics"),
        ("{}", {"ENDPOINT": "collector:4318"}, "http://collector:4318/v1/metrics"),
    ],
)
def test_urls(tmp_path: Path, otlp: str, environ: dict[str, str], url: str) -> None:
    """A base URL gets the signal's path, the variable of a signal is used as it is, and the file wins."""
    assert receiver(config(tmp_path, otlp), {PREFIX + key: value for key, value in environ.items()}, "metrics").url == url


def test_variables_and_file(tmp_path: Path) -> None:
    """Each variable sets its part, that of the signal before the general one; a setting of the file wins over both."""
    environ = {
        f"{PREFIX}HEADERS": "a=1,b=%20x%3Dy",
        f"{PREFIX}COMPRESSION": "gzip",
        f"{PREFIX}METRICS_COMPRESSION": "none",
        f"{PREFIX}TIMEOUT": "2500",
        f"{PREFIX}CERTIFICATE": __file__,
        f"{PREFIX}CLIENT_CERTIFICATE": __file__,
        f"{PREFIX}CLIENT_KEY": __file__,
        f"{PREFIX}PROTOCOL": HTTP,
    }
    found = receiver(config(tmp_path), environ, "metrics")
    assert (found.headers, found.gzip, found.timeout) == ({"a": "1", "b": " x=y"}, False, 2.5)
    assert (found.ca, found.certificate, found.key) == (__file__, __file__, __file__)
    assert receiver(config(tmp_path), environ, "logs").gzip
    found = receiver(config(tmp_path, "{headers: {c: '1', C: '3'}, compression: gzip, timeout: 1s}"), environ, "metrics")
    assert (found.headers, found.gzip, found.timeout) == ({"c": "3"}, True, 1.0)


def test_files_of_the_configuration(tmp_path: Path) -> None:
    """A file of the configuration wins over that of a variable, each for itself, and one that cannot be read is named."""
    environ = {f"{PREFIX}CLIENT_CERTIFICATE": "/nowhere", f"{PREFIX}CLIENT_KEY": str(tmp_path / "config.yaml")}
    found = receiver(config(tmp_path, f"{{certificate_file: {__file__}}}"), environ, "metrics")
    assert (found.certificate, found.key) == (__file__, environ[f"{PREFIX}CLIENT_KEY"])
    with pytest.raises(ConfigError, match="^kube_metrics.otlp.ca_file: cannot read the file /no; mount it or correct the path$"):
        receiver(config(tmp_path, "{ca_file: /no}"), {}, "metrics")


def test_timeout_of_the_export(tmp_path: Path) -> None:
    """OTEL_METRIC_EXPORT_TIMEOUT is the time of a request of metrics, unless a variable of the exporter or the file has one."""
    environ, nothing = {"OTEL_METRIC_EXPORT_TIMEOUT": "3000"}, config(tmp_path)
    assert (receiver(nothing, environ, "metrics").timeout, receiver(nothing, environ, "logs").timeout) == (3.0, 10.0)
    assert receiver(nothing, {**environ, f"{PREFIX}TIMEOUT": "500"}, "metrics").timeout == 0.5
    assert receiver(config(tmp_path, "{timeout: 2s}"), environ, "metrics").timeout == 2.0
    with pytest.raises(ConfigError, match="^OTEL_METRIC_EXPORT_TIMEOUT: expected milliseconds such as 10000, got '3s'$"):
        receiver(nothing, {"OTEL_METRIC_EXPORT_TIMEOUT": "3s"}, "metrics")


@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [
        ("ENDPOINT", "ftp://x", "OTEL_EXPORTER_OTLP_ENDPOINT: expected a URL like"),
        ("METRICS_ENDPOINT", "http://x:port", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: expected a URL like"),
        ("PROTOCOL", "http/json", "OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf or grpc, got 'http/json'"),
        ("METRICS_PROTOCOL", "udp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: expected http/protobuf or grpc, got 'udp'"),
        ("ENDPOINT", "http://me:secret@x", "OTEL_EXPORTER_OTLP_ENDPOINT: user and password of a URL are not sent; use the header"),
        ("COMPRESSION", "zstd", "OTEL_EXPORTER_OTLP_COMPRESSION: expected gzip or none"),
        ("TIMEOUT", "10s", "OTEL_EXPORTER_OTLP_TIMEOUT: expected milliseconds"),
        ("HEADERS", "secret", "OTEL_EXPORTER_OTLP_HEADERS: expected KEY=VALUE"),
        ("HEADERS", "a=x%0Ay", "OTEL_EXPORTER_OTLP_HEADERS: expected KEY=VALUE"),
        ("HEADERS", "Content-Length=3", "OTEL_EXPORTER_OTLP_HEADERS: the agent sets the header Content-Length itself; remove it"),
        ("ENDPOINT", "http://a b:1", "OTEL_EXPORTER_OTLP_ENDPOINT: expected a URL like"),
        ("METRICS_ENDPOINT", "http://\u00e4.example", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: expected a URL like"),
        ("CERTIFICATE", "/nowhere/ca.pem", "OTEL_EXPORTER_OTLP_CERTIFICATE: cannot read the file /nowhere/ca.pem; mount it"),
        ("METRICS_CERTIFICATE", "/", "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE: cannot read the file /; mount it"),
        ("METRICS_CLIENT_KEY", __file__, "OTEL_EXPORTER_OTLP_CLIENT_KEY: needs a certificate; set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
    ],
)
def test_bad_variables(tmp_path: Path, variable: str, value: str, error: str) -> None:
    """A bad variable is one line that names it; a header's value, which may be secret, is not repeated."""
    with pytest.raises(ConfigError) as raised:
        receiver(config(tmp_path), {PREFIX + variable: value}, "metrics")
    assert str(raised.value).startswith(error) and "secret" not in str(raised.value)


def test_protocol_of_the_file(tmp_path: Path) -> None:
    """`protocol` of the file wins over a variable that other programs of the host need."""
    assert receiver(config(tmp_path, "{protocol: http/protobuf}"), {f"{PREFIX}PROTOCOL": "grpc"}, "metrics").url.endswith("/v1/metrics")
    assert receiver(config(tmp_path, "{protocol: grpc}"), {f"{PREFIX}PROTOCOL": "http/protobuf"}, "logs").url.endswith("/Export")


@pytest.mark.parametrize(
    ("otlp", "environ", "address"),
    [
        ("{}", {}, "http://localhost:4317"),
        ("{endpoint: 'http://file:1/'}", {"ENDPOINT": "https://other:1"}, "http://file:1"),
        ("{}", {"ENDPOINT": "https://c"}, "https://c:443"),
        ("{}", {"ENDPOINT": "https://c:1", "INSECURE": "true"}, "https://c:1"),
        ("{}", {"ENDPOINT": "c:4317"}, "https://c:4317"),
        ("{}", {"ENDPOINT": "c:4317", "INSECURE": "TRUE"}, "http://c:4317"),
        ("{}", {"ENDPOINT": "c:4317", "METRICS_INSECURE": "true", "INSECURE": "false"}, "http://c:4317"),
        ("{}", {"METRICS_ENDPOINT": "http://[::1]:4317", "ENDPOINT": "http://c"}, "http://[::1]:4317"),
    ],
)
def test_addresses_of_grpc(tmp_path: Path, otlp: str, environ: dict[str, str], address: str) -> None:
    """With gRPC the scheme turns TLS on or off, OTEL_EXPORTER_OTLP_INSECURE counts only without one, and the port is 4317 by default."""
    variables = {f"{PREFIX}{key}": value for key, value in {"METRICS_PROTOCOL": "grpc", **environ}.items()}
    found = receiver(config(tmp_path, otlp), variables, "metrics")
    assert found.url == f"{address}/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    assert found.address == address and found.protocol == GRPC and not found.gzip
    if not otlp.strip("{}"):
        assert receiver(config(tmp_path), variables, "logs").protocol == HTTP


@pytest.mark.parametrize(
    ("otlp", "environ", "error"),
    [
        ("{endpoint: 'http://c:1/v1/metrics'}", {}, "kube_metrics.otlp.endpoint: gRPC has no path: expected a URL like"),
        ("{insecure_skip_verify: true}", {}, "kube_metrics.otlp.insecure_skip_verify: not possible with gRPC; set ca_file"),
        ("{headers: {'x!': '1'}}", {}, "kube_metrics.otlp.headers: 'x!' is not a valid name of gRPC metadata with text"),
        ("{}", {"HEADERS": "trace-bin=1"}, "kube_metrics.otlp.headers: 'trace-bin' is not a valid name"),
        ("{}", {"INSECURE": "yes", "ENDPOINT": "c:1"}, "OTEL_EXPORTER_OTLP_INSECURE: expected true or false, got 'yes'"),
    ],
)
def test_settings_that_grpc_refuses(tmp_path: Path, otlp: str, environ: dict[str, str], error: str) -> None:
    """A setting that gRPC cannot follow is one line that names it."""
    with pytest.raises(ConfigError) as raised:
        variables = {f"{PREFIX}{key}": value for key, value in {"PROTOCOL": "grpc", **environ}.items()}
        receiver(config(tmp_path, otlp), variables, "metrics")
    assert str(raised.value).startswith(error) and "\n" not in str(raised.value)


def test_without_grpcio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the protocol is refused with one line that names the package; HTTP needs nothing of it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^kube_metrics.otlp.protocol: grpc needs the library grpcio: pip install 'telegen\[grpc\]'"):
        receiver(config(tmp_path, "{protocol: grpc}"), {}, "metrics")
    assert receiver(config(tmp_path), {}, "metrics").protocol == HTTP


def test_interval_and_switch(tmp_path: Path) -> None:
    """The interval of the file wins over the variable; OTEL_SDK_DISABLED turns everything off."""
    variable = {"OTEL_METRIC_EXPORT_INTERVAL": "30000"}
    assert interval(config(tmp_path), {}) == 15.0
    assert interval(config(tmp_path), variable) == 30.0
    assert interval(config(tmp_path), {"OTEL_METRIC_EXPORT_INTERVAL": "5"}) == 1.0
    assert interval(config(tmp_path, streaming="{interval: 2s}"), variable) == 2.0
    assert is_disabled({"OTEL_SDK_DISABLED": "TRUE"}) and not is_disabled({"OTEL_SDK_DISABLED": "0"})
