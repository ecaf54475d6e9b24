"""Prometheus servers of the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from telegen.adapter.prometheus import Prometheus, PrometheusOptions, Servers
from telegen.api.credentials import credentials
from telegen.config.adapter_model import PrometheusServer
from telegen.config.detect import ACCOUNT


def make_servers(settings: Sequence[PrometheusServer], environ: Mapping[str, str]) -> Servers:
    """Return the servers. Token and certificate files are read again when they change.

    Args:
        environ: of programs that a kubeconfig names.
    """
    return Servers([Prometheus(one.url, options_of(one, environ)) for one in settings])


def options_of(server: PrometheusServer, environ: Mapping[str, str]) -> PrometheusOptions:
    """Return the access to a server."""
    account = ACCOUNT if server.in_cluster else ""
    return PrometheusOptions(
        headers=server.headers,
        token_file=server.token_file or (f"{account}/token" if account else ""),
        ca_file=server.ca_file or (f"{account}/ca.crt" if account else ""),
        cert_file=server.cert_file,
        key_file=server.key_file,
        account=credentials(f"kubeconfig:{server.kubeconfig}", environ) if server.kubeconfig else None,
        post=server.post,
        total=server.timeout,
        max_size=server.max_response_size,
    )
