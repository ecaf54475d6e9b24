"""Receivers of signals, from the configuration, else the standard variables OTEL_EXPORTER_OTLP_*, else defaults."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from telegen.config import Config, ConfigError
from telegen.config.model import Otlp
from telegen.config.validation import HEADER, HEADER_VALUE, OWN_HEADERS

Signal = Literal["metrics", "logs"]

HTTP, GRPC = "http/protobuf", "grpc"
"""Protocols, as in the OTLP specification."""
DEFAULT_ENDPOINTS = {HTTP: "http://localhost:4318", GRPC: "http://localhost:4317"}
METHODS = {
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
"""Paths of gRPC requests by signal."""
_METADATA = re.compile(r"[0-9a-z_.-]+")
_HOST = re.compile(r"[0-9A-Za-z._~%:-]+")
"""Hosts without those of other scripts, which are written as xn--... in URLs."""
FILES = {"ca_file": "CERTIFICATE", "certificate_file": "CLIENT_CERTIFICATE", "key_file": "CLIENT_KEY"}
"""Files of TLS: the end of a variable's name by setting."""
TIMEOUT = 10.0
"""Seconds of a request."""
INTERVAL, LEAST_INTERVAL = 15.0, 1.0
"""Seconds between two pushes: the default, and the least."""


@dataclass(frozen=True)
class Receiver:
    """One signal's receiver.

    Attributes:
        url: of the requests, path included.
        headers: of every request, in lower case.
        timeout: seconds of a request.
        ca, certificate, key: files, "" for none.
        verify: False accepts any certificate.
    """

    url: str
    protocol: str = HTTP
    headers: Mapping[str, str] = field(default_factory=dict)
    gzip: bool = True
    timeout: float = TIMEOUT
    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True

    @property
    def files(self) -> tuple[str, ...]:
        """Files of certificates and keys."""
        return tuple(path for path in (self.ca, self.certificate, self.key) if path)

    @property
    def address(self) -> str:
        """The URL for logs, without what may be secret and without a method of gRPC."""
        return self.url.partition("?")[0].partition("/opentelemetry.proto.")[0]


class _Variables:
    """The standard variables: that of the signal wins over the general one, and an empty one counts as unset."""

    def __init__(self, environ: Mapping[str, str], signal: Signal) -> None:
        self._environ, self._signal = environ, signal

    def get(self, name: str) -> tuple[str, str]:
        """Return (variable, value); the value is "" if none is set."""
        for variable in (f"OTEL_EXPORTER_OTLP_{self._signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
            if value := self._environ.get(variable, "").strip():
                return variable, value
        return "", ""

    def one_of(self, name: str, *words: str) -> str:
        """Return a value that must be one of some words, "" if it is unset."""
        variable, value = self.get(name)
        if value and value not in words:
            raise ConfigError(f"{variable}: expected {' or '.join(words)}, got {value[:100]!r}")
        return value

    def flag(self, name: str) -> bool:
        """Return a value that must be true or false in any case, False if it is unset."""
        variable, value = self.get(name)
        if value.lower() not in ("true", "false", ""):
            raise ConfigError(f"{variable}: expected true or false, got {value[:100]!r}")
        return value.lower() == "true"


def receiver(config: Config, environ: Mapping[str, str], signal: Signal) -> Receiver:
    """Return the receiver of a signal.

    Raises:
        ConfigError: a variable is invalid, a file does not exist, or grpcio is not installed.
    """
    otlp, variables = config.kube_metrics.otlp, _Variables(environ, signal)
    protocol = otlp.protocol or variables.one_of("PROTOCOL", HTTP, GRPC) or HTTP
    compression = otlp.compression or variables.one_of("COMPRESSION", "gzip", "none")
    given = otlp.headers or _headers(*variables.get("HEADERS"))
    headers = {name.lower(): value for name, value in given.items()}
    if protocol == GRPC:
        _check_grpc(otlp, headers)
    files = {name: _file(name, getattr(otlp, name), variables, variable) for name, variable in FILES.items()}
    if files["key_file"] and not files["certificate_file"]:
        raise ConfigError("OTEL_EXPORTER_OTLP_CLIENT_KEY: needs a certificate; set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")
    return Receiver(
        url=(_grpc_url if protocol == GRPC else _http_url)(otlp.endpoint, variables, signal),
        protocol=protocol,
        headers=headers,
        # PERF: gRPC compresses at 630,000 points/s, isal for HTTP at 5,000,000.
        gzip=compression == "gzip" or not compression and protocol == HTTP,
        timeout=float(otlp.timeout or _timeout(variables, environ, signal)),
        ca=files["ca_file"],
        certificate=files["certificate_file"],
        key=files["key_file"],
        verify=not otlp.insecure_skip_verify,
    )


def _file(name: str, path: str, variables: _Variables, variable: str) -> str:
    """Return the path of a file with certificates or a key, "" if there is none.

    Args:
        name: of the setting.
        path: its value.
        variable: end of the name of the variable that counts if the setting is empty.

    Raises:
        ConfigError: the file cannot be read.
    """
    origin, path = (f"kube_metrics.otlp.{name}", path) if path else variables.get(variable)
    if path and not (os.path.isfile(path) and os.access(path, os.R_OK)):
        raise ConfigError(f"{origin}: cannot read the file {path[:1000]}; mount it or correct the path")
    return path


def _timeout(variables: _Variables, environ: Mapping[str, str], signal: Signal) -> float:
    """Return the seconds of a request by the variables: those of the exporter win over that of the export of metrics."""
    name = "OTEL_METRIC_EXPORT_TIMEOUT"
    export = _seconds(name, environ.get(name, "").strip()) if signal == "metrics" else 0.0
    return _seconds(*variables.get("TIMEOUT")) or export or TIMEOUT


def interval(config: Config, environ: Mapping[str, str]) -> float:
    """Return the seconds between two pushes.

    Raises:
        ConfigError: the variable is invalid.
    """
    name = "OTEL_METRIC_EXPORT_INTERVAL"
    given = _seconds(name, environ.get(name, "").strip())
    return float(config.kube_metrics.streaming.interval or (max(given, LEAST_INTERVAL) if given else INTERVAL))


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Return True if OTEL_SDK_DISABLED turns all OTLP off."""
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _check_grpc(otlp: Otlp, headers: Mapping[str, str]) -> None:
    """Check what only gRPC demands.

    Raises:
        ConfigError: it cannot be used.
    """
    if importlib.util.find_spec("grpc") is None:
        raise ConfigError("kube_metrics.otlp.protocol: grpc needs the library grpcio: pip install 'telegen[grpc]', or use http/protobuf")
    if otlp.insecure_skip_verify:
        raise ConfigError("kube_metrics.otlp.insecure_skip_verify: not possible with gRPC; set ca_file to the receiver's certificate")
    for name in headers:
        if not _METADATA.fullmatch(name) or name.startswith("grpc-") or name.endswith("-bin"):
            raise ConfigError(f"kube_metrics.otlp.headers: {name[:100]!r} is not a valid name of gRPC metadata with text")


def _http_url(endpoint: str, variables: _Variables, signal: Signal) -> str:
    """Return the URL of requests by HTTP: a base URL gets the path of the signal, the variable of a signal is used as it is."""
    variable, parts = _endpoint(endpoint, variables, HTTP, "http")
    is_whole = variable == f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    path = parts.path or "/" if is_whole else f"{parts.path.rstrip('/')}/v1/{signal}"
    return parts._replace(path=path, fragment="").geturl()


def check_push(config: Config, environ: Mapping[str, str]) -> None:
    """Check the receivers of what is pushed, in the settings and in variables.

    Raises:
        ConfigError: one of them is invalid.
    """
    if is_disabled(environ):
        return
    if config.kube_metrics.streaming.enabled and config.kube_metrics.streaming.use_otlp:
        receiver(config, environ, "metrics")
        interval(config, environ)
    if config.kube_metrics.logs_streaming.enabled:
        receiver(config, environ, "logs")


def _grpc_url(endpoint: str, variables: _Variables, signal: Signal) -> str:
    """Return the URL of requests by gRPC. An endpoint without a scheme uses TLS unless a variable turns it off."""
    is_insecure = variables.flag("INSECURE")
    variable, parts = _endpoint(endpoint, variables, GRPC, "http" if is_insecure else "https")
    if parts.path not in ("", "/") or parts.query:
        raise ConfigError(f"{variable}: gRPC has no path: expected a URL like {DEFAULT_ENDPOINTS[GRPC]}, got {parts.geturl()[:100]!r}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{port}{METHODS[signal]}"


def _endpoint(endpoint: str, variables: _Variables, protocol: str, scheme: str) -> tuple[str, SplitResult]:
    """Return the endpoint of a signal, and the name of its setting or variable.

    Args:
        scheme: that of an endpoint without one.
    """
    variable, value = ("kube_metrics.otlp.endpoint", endpoint) if endpoint else variables.get("ENDPOINT")
    value = value or DEFAULT_ENDPOINTS[protocol]
    try:
        parts = urlsplit(value if "://" in value else f"{scheme}://{value}")
        is_valid = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.hostname or "") and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ConfigError(f"{variable}: expected a URL like {DEFAULT_ENDPOINTS[protocol]}, got {value[:100]!r}")
    if "@" in parts.netloc:
        # The value is secret, so the error does not repeat it.
        raise ConfigError(f"{variable}: user and password of a URL are not sent; use the header authorization")
    return variable, parts


def _headers(variable: str, value: str) -> dict[str, str]:
    """Parse headers as in W3C Baggage without properties: `key=value,key2=value2`, percent-encoded."""
    found = {}
    for pair in filter(None, map(str.strip, value.split(","))):
        name, equals, content = pair.partition("=")
        name, content = unquote(name.strip()), unquote(content.strip())
        if not equals or not (HEADER.fullmatch(name) and HEADER_VALUE.fullmatch(content)):
            # The value may be a secret, so the error does not repeat it.
            raise ConfigError(f"{variable}: expected KEY=VALUE,KEY2=VALUE2 with names and values of HTTP headers")
        if name.lower() in OWN_HEADERS:
            raise ConfigError(f"{variable}: the agent sets the header {name} itself; remove it")
        found[name] = content
    return found


def _seconds(variable: str, value: str) -> float:
    """Parse milliseconds; 0 if the value is empty."""
    if value and not (value.isdecimal() and 0 < int(value) < 10**9):
        raise ConfigError(f"{variable}: expected milliseconds such as 10000, got {value[:100]!r}")
    return int(value or 0) / 1000
