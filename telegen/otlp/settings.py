"""Receivers of signals, from the configuration, else the standard variables OTEL_EXPORTER_OTLP_*, else defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

from telegen.config import Config, ConfigError
from telegen.config.validation import HEADER, HEADER_VALUE

Signal = Literal["metrics", "logs"]

PROTOCOL = "http/protobuf"
"""The only one that the agent speaks."""
DEFAULT_ENDPOINT = "http://localhost:4318"
"""As in the OTLP specification."""
TIMEOUT = 10.0
"""Seconds of a request."""
INTERVAL, LEAST_INTERVAL = 15.0, 1.0
"""Seconds between two pushes: the default, and the least."""


@dataclass(frozen=True)
class Receiver:
    """One signal's receiver.

    Attributes:
        url: of the requests, path included.
        headers: of every request.
        timeout: seconds of a request.
        ca, certificate, key: files, "" for none.
        verify: False accepts any certificate.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    gzip: bool = True
    timeout: float = TIMEOUT
    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


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


def receiver(config: Config, environ: Mapping[str, str], signal: Signal) -> Receiver:
    """Return the receiver of a signal.

    Raises:
        ConfigError: a variable is invalid, or a file does not exist.
    """
    otlp, variables = config.kube_metrics.otlp, _Variables(environ, signal)
    if not otlp.protocol:
        variables.one_of("PROTOCOL", PROTOCOL)
    compression = otlp.compression or variables.one_of("COMPRESSION", "gzip", "none") or "gzip"
    found = Receiver(
        url=_url(otlp.endpoint, variables, signal),
        headers=otlp.headers or _headers(*variables.get("HEADERS")),
        gzip=compression == "gzip",
        timeout=float(otlp.timeout or _seconds(*variables.get("TIMEOUT")) or TIMEOUT),
        ca=otlp.ca_file or variables.get("CERTIFICATE")[1],
        certificate=otlp.certificate_file or variables.get("CLIENT_CERTIFICATE")[1],
        key=otlp.key_file or variables.get("CLIENT_KEY")[1],
        verify=not otlp.insecure_skip_verify,
    )
    for path in (found.ca, found.certificate, found.key):
        if path and not os.access(path, os.R_OK):
            raise ConfigError(f"kube_metrics.otlp: cannot read {path}, a file of certificates or keys; mount it or correct the path")
    return found


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


def _url(endpoint: str, variables: _Variables, signal: Signal) -> str:
    """Return the URL of the requests: a base URL gets the path of the signal, the variable of a signal is used as it is."""
    variable, value = ("kube_metrics.otlp.endpoint", endpoint) if endpoint else variables.get("ENDPOINT")
    value = value or DEFAULT_ENDPOINT
    if "://" not in value:
        value = f"http://{value}"
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(f"{variable}: expected a URL like http://collector:4318, got {value[:100]!r}")
    is_whole = variable == f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    return value if is_whole and parts.path else f"{value}/" if is_whole else f"{value.rstrip('/')}/v1/{signal}"


def _headers(variable: str, value: str) -> dict[str, str]:
    """Parse headers as in W3C Baggage without properties: `key=value,key2=value2`, percent-encoded."""
    found = {}
    for pair in filter(None, map(str.strip, value.split(","))):
        name, equals, content = pair.partition("=")
        name, content = unquote(name.strip()), unquote(content.strip())
        if not equals or not (HEADER.fullmatch(name) and HEADER_VALUE.fullmatch(content)):
            # The value may be a secret, so the error does not repeat it.
            raise ConfigError(f"{variable}: expected KEY=VALUE,KEY2=VALUE2 with names and values of HTTP headers")
        found[name] = content
    return found


def _seconds(variable: str, value: str) -> float:
    """Parse milliseconds; 0 if the value is empty."""
    if value and not (value.isdecimal() and 0 < int(value) < 10**9):
        raise ConfigError(f"{variable}: expected milliseconds such as 10000, got {value[:100]!r}")
    return int(value or 0) / 1000
