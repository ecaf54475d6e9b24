"""The flags of prometheus-adapter under their own names, which `telegen adapter` accepts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from telegen.config.flag import Flag, Read, host_of, last, port_of, read_switch

Server = dict[str, Any]
_METHODS = {"GET": False, "POST": True}


def _urls(current: Any, texts: Sequence[str]) -> list[Any]:
    """One server per occurrence, in their order; settings of the file stay for the servers at the same place."""
    before = _servers(current)
    return [{**(before[at] if at < len(before) else {}), "url": text} for at, text in enumerate(texts)]


def _each(key: str, value: Callable[[Sequence[str]], Any]) -> Read:
    """Return a reader that sets a key of every server."""
    return lambda current, texts: [{**one, key: value(texts)} for one in _servers(current)]


def _servers(current: Any) -> list[Server]:
    """Return the servers of the flags and of the file.

    Raises:
        ValueError: the file has no list of servers.
    """
    if not isinstance(current, (list, tuple)) or not all(isinstance(one, dict) for one in current):
        raise ValueError("adapter.prometheus of the file is no list of servers")
    return list(current)


def _text(texts: Sequence[str]) -> str:
    return texts[-1]


def _switched(texts: Sequence[str]) -> bool:
    return read_switch(texts[-1])


def _posts(texts: Sequence[str]) -> bool:
    if texts[-1] not in _METHODS:
        raise ValueError(f"expected GET or POST, got {texts[-1]!r}")
    return _METHODS[texts[-1]]


def _headers(texts: Sequence[str]) -> dict[str, str]:
    """Parse `NAME=VALUE`; values are not repeated in messages, as they may be secrets."""
    headers = {}
    for at, text in enumerate(texts, 1):
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"expected NAME=VALUE at occurrence {at}")
        headers[name.strip()] = value
    return headers


_SERVERS, _LISTEN, _KUBECONFIG = "adapter.prometheus", "adapter.listen_address", "kube_metrics.kube_state.kubeconfig"
_FROM_CLUSTER = "the ConfigMap kube-system/extension-apiserver-authentication of the cluster has it, and is followed"
_RIGHTS = "answers about rights count for 10 s, about rights in every namespace for 60 s"
_NO_AUDIT = "there is no audit log; the audit log of the API server has the requests"
_NO_FLOWS = "the limits of clients are those of `web`"

ADAPTER_FLAGS: tuple[Flag, ...] = (
    Flag("config", "adapter.rules_file", last),
    Flag("prometheus-url", _SERVERS, _urls),
    Flag("prometheus-auth-incluster", _SERVERS, _each("in_cluster", _switched), switch=True),
    Flag("prometheus-auth-config", _SERVERS, _each("kubeconfig", _text)),
    Flag("prometheus-ca-file", _SERVERS, _each("ca_file", _text)),
    Flag("prometheus-client-tls-cert-file", _SERVERS, _each("cert_file", _text)),
    Flag("prometheus-client-tls-key-file", _SERVERS, _each("key_file", _text)),
    Flag("prometheus-token-file", _SERVERS, _each("token_file", _text)),
    Flag("prometheus-header", _SERVERS, _each("headers", _headers)),
    Flag("prometheus-verb", _SERVERS, _each("post", _posts)),
    Flag("metrics-relist-interval", "adapter.relist_interval", last),
    Flag("metrics-max-age", "adapter.max_age", last),
    Flag("bind-address", _LISTEN, host_of),
    Flag("secure-port", _LISTEN, port_of),
    Flag("tls-cert-file", "adapter.tls.cert_file", last),
    Flag("tls-private-key-file", "adapter.tls.key_file", last),
    Flag("lister-kubeconfig", _KUBECONFIG, last),
    Flag("authentication-kubeconfig", _KUBECONFIG, last),
    Flag("authorization-kubeconfig", _KUBECONFIG, last),
    Flag("authentication-skip-lookup", ignored=_FROM_CLUSTER, switch=True),
    Flag("authentication-tolerate-lookup-failure", ignored=f"{_FROM_CLUSTER}; until it can be read, only tokens are accepted", switch=True),
    Flag("authentication-token-webhook-cache-ttl", ignored="answers about tokens count for 10 s"),
    Flag("authorization-webhook-cache-authorized-ttl", ignored=_RIGHTS),
    Flag("authorization-webhook-cache-unauthorized-ttl", ignored=_RIGHTS),
    Flag("authorization-always-allow-paths", ignored="/healthz, /livez and /readyz need no rights"),
    Flag("client-ca-file", ignored=_FROM_CLUSTER),
    Flag("requestheader-client-ca-file", ignored=_FROM_CLUSTER),
    Flag("requestheader-allowed-names", ignored=_FROM_CLUSTER),
    Flag("requestheader-extra-headers-prefix", ignored=_FROM_CLUSTER),
    Flag("requestheader-group-headers", ignored=_FROM_CLUSTER),
    Flag("requestheader-username-headers", ignored=_FROM_CLUSTER),
    Flag("cert-dir", ignored="certificates that the adapter makes are kept in a Secret"),
    Flag("tls-min-version", ignored="TLS 1.2 and 1.3 are spoken"),
    Flag("tls-cipher-suites", ignored="the cipher suites are those of OpenSSL's default"),
    Flag("discovery-interval", ignored="adapter.relist_interval applies to the resources of the cluster as well"),
    Flag("disable-http2", ignored="HTTP/1.1 is spoken", switch=True),
    Flag("http2-max-streams-per-connection", ignored="HTTP/1.1 is spoken"),
    Flag("contention-profiling", ignored="there is no profiler", switch=True),
    Flag("profiling", ignored="there is no profiler", switch=True),
    Flag("audit-log-path", refused=_NO_AUDIT),
    Flag("audit-policy-file", refused=_NO_AUDIT),
    Flag("max-requests-inflight", ignored=_NO_FLOWS),
    Flag("max-mutating-requests-inflight", ignored=_NO_FLOWS),
)
"""All flags but those that kube-state-metrics has as well. `--config` is a flag of ours, too: `telegen.supervisor.config_files`
tells the files apart."""
