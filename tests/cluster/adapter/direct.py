"""Requests straight to the port of an adapter, past the API server."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterable
from typing import NamedTuple

from tests.cluster.adapter.authorities import Pair
from tests.cluster.adapter.cluster import ADAPTER_ADDRESSES, PORT, SERVICE, Cluster
from tests.cluster.adapter.objects import OWN
from tests.cluster.control_plane import Object

REFUSED = 0
"""Status of a request whose connection the adapter refused."""


class Answer(NamedTuple):
    """Status and document; {} if the body is no JSON."""

    status: int
    document: Object


def authority(cluster: Cluster) -> str:
    """Return the authorities that the API server trusts for the adapters (PEM)."""
    service = cluster.plane.request("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io")
    return base64.b64decode(service["spec"]["caBundle"]).decode()


class _Connection(http.client.HTTPSConnection):
    """A connection to an address whose certificate is verified for the name of the Service."""

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        super().__init__(address, PORT, timeout=20, context=context)
        self._verified = context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._verified.wrap_socket(self.sock, server_hostname=f"{SERVICE}.{OWN}.svc")


def ask(
    cluster: Cluster,
    path: str,
    headers: Iterable[tuple[str, str]] = (),
    certificate: Pair | None = None,
    adapter: str = "adapter-1",
    method: str = "GET",
) -> Answer:
    """Send a request with a client's certificate and headers, which may be repeated."""
    context = ssl.create_default_context(cadata=authority(cluster))
    if certificate:
        context.load_cert_chain(*certificate)
    connection = _Connection(ADAPTER_ADDRESSES[adapter], context)
    try:
        connection.putrequest(method, path)
        for name, value in headers:
            connection.putheader(name, value.encode())
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return Answer(REFUSED, {})
    finally:
        connection.close()
    return Answer(response.status, json.loads(body) if body.startswith(b"{") else {})
