"""Validation of the settings of the adapter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from telegen.config.adapter_model import Adapter, AdapterTls, PrometheusServer
from telegen.config.model import Config

_HEADER, _HEADER_VALUE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"), re.compile(r"[\t -~]*")
_OWN_HEADERS = frozenset(("accept", "accept-encoding", "connection", "content-length", "content-type", "host", "transfer-encoding"))
"""Headers that follow from a query itself."""
LEAST_TIMEOUT, LEAST_RESPONSE = 0.1, 1 << 16


def adapter_problems(config: Config) -> Iterator[str]:
    """Yield one line per problem, each beginning with the path of the setting."""
    adapter = config.adapter
    yield from (f"adapter.groups: {name} is listed {times} times" for name, times in Counter(adapter.groups).items() if times > 1)
    second = adapter.telemetry_address
    if second is not None and adapter.listen_address.port == second.port != 0:
        yield "adapter.telemetry_address: needs another port than adapter.listen_address"
    if adapter.rules_file and not adapter.prometheus:
        yield "adapter.rules_file: needs a server to ask: set adapter.prometheus, or --prometheus-url"
    if 0 < adapter.max_age < adapter.relist_interval:
        yield f"adapter.max_age: must be 0s or at least relist_interval ({adapter.relist_interval}), not {adapter.max_age}"
    yield from _pair_problems("adapter.tls", adapter.tls.cert_file, adapter.tls.key_file)
    yield from _lifetime_problems(adapter.tls)
    yield from _server_problems(adapter)


def _lifetime_problems(tls: AdapterTls) -> Iterator[str]:
    for name, value in (("lifetime", tls.lifetime), ("propagation", tls.propagation)):
        if value > tls.ca_lifetime / 4:
            yield f"adapter.tls.{name}: must be a quarter of ca_lifetime ({tls.ca_lifetime}) at most, not {value}"


def _server_problems(adapter: Adapter) -> Iterator[str]:
    for at, server in enumerate(adapter.prometheus):
        where = f"adapter.prometheus[{at}]"
        yield from _pair_problems(where, server.cert_file, server.key_file)
        yield from _access_problems(where, server)
        yield from _header_problems(where, server)
        if server.timeout < LEAST_TIMEOUT:
            yield f"{where}.timeout: must be at least 100ms, not {server.timeout}"
        if server.max_response_size < LEAST_RESPONSE:
            yield f"{where}.max_response_size: must be at least 64KiB, not {server.max_response_size}"


def _access_problems(where: str, server: PrometheusServer) -> Iterator[str]:
    """Check that credentials come from one source."""
    if server.in_cluster and server.kubeconfig:
        yield f"{where}.in_cluster: cannot be used with kubeconfig"
    for key in ("token_file", "ca_file", "cert_file"):
        if server.kubeconfig and getattr(server, key):
            yield f"{where}.{key}: cannot be used with kubeconfig, which has it"


def _header_problems(where: str, server: PrometheusServer) -> Iterator[str]:
    for name, value in server.headers.items():
        if not _HEADER.fullmatch(name):
            yield f"{where}.headers: {name[:100]!r} is not a valid name of a header"
        elif name.lower() in _OWN_HEADERS:
            yield f"{where}.headers.{name}: the adapter sets this header itself; remove it"
        elif not _HEADER_VALUE.fullmatch(value):
            yield f"{where}.headers.{name}: expected printable ASCII characters on one line"


def _pair_problems(where: str, certificate: str, key: str) -> Iterator[str]:
    if bool(certificate) != bool(key):
        missing, other = ("key_file", "cert_file") if certificate else ("cert_file", "key_file")
        yield f"{where}.{other}: needs {missing}"
