"""Replicas of the adapter that keep certificates, on a clock of the test, and the TLS of both sides."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from base64 import b64decode
from typing import Any

from telegen.adapter.certificates.authorities import Lifetimes
from telegen.adapter.certificates.contexts import load, polling_context
from telegen.adapter.certificates.document import Certificates, Pair
from telegen.adapter.certificates.keeper import Keeper, Names, State
from telegen.adapter.certificates.serving_files import ServingFiles
from telegen.api.client import Client, Timeouts
from telegen.api.credentials import credentials
from tests.adapter.certificates.api_server import APISERVICES, SECRETS, ApiServer

LIFETIMES = Lifetimes(authority=3000, leaf=600, propagation=100)
NAMES = Names("telegen", "telegen-adapter", "telegen-agents")
AUTHORITY, AGENTS = f"{SECRETS}telegen-adapter-ca", f"{SECRETS}telegen-adapter-agents"


class Clock:
    """Unix seconds that a test sets."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def replica(
    api: ApiServer,
    clock: Clock,
    groups: tuple[str, ...] = ("metrics.k8s.io",),
    files: ServingFiles | None = None,
    names: Names = NAMES,
    state: State | None = None,
) -> Keeper:
    """Make the keeper of a replica that has just started."""
    client = Client(credentials(api.url, {}), Timeouts(20.0, 20.0))
    return Keeper(client, names, groups, LIFETIMES, files, clock, logging.getLogger("telegen.certificates"), state)


def in_force(keeper: Keeper) -> Certificates:
    """Run a pass that has to give certificates."""
    found = keeper.run_pass()
    assert found
    return found


def data(api: ApiServer, path: str) -> dict[str, str]:
    """Return the texts of a Secret."""
    return {key: b64decode(value).decode() for key, value in api.objects[path]["data"].items()}


def ca_bundle(api: ApiServer, name: str = "v1beta1.metrics.k8s.io") -> str:
    """Return the PEM of the caBundle of an APIService, "" if it has none."""
    return b64decode(api.objects[APISERVICES + name]["spec"].get("caBundle", "")).decode()


def agent_context(secret: dict[str, str]) -> ssl.SSLContext:
    """Context of an agent that has mounted this Secret."""
    context = _server(Pair(secret["tls.crt"], secret["tls.key"]))
    context.load_verify_locations(cadata=secret["ca.crt"])
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def trusts_serving(bundle: str, certificates: Certificates) -> str:
    """Connect as the API server does, which trusts the caBundle; return the error, "" if there is none."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=bundle)
    return handshake(client, "telegen-adapter.telegen.svc", _server(certificates.serving))


def polls(certificates: Certificates, secret: dict[str, str]) -> str:
    """Connect as the adapter to an agent that has mounted the Secret; return the error, "" if there is none."""
    return handshake(polling_context(certificates), certificates.agents_name, agent_context(secret))


def handshake(client: ssl.SSLContext, name: str, server: ssl.SSLContext) -> str:
    """Connect both sides and exchange a byte; return the error of the side that refuses, "" if none does."""
    near, far = socket.socketpair()
    errors = list[str]()

    def serve() -> None:
        try:
            with server.wrap_socket(far, server_side=True) as sock:
                sock.sendall(b"x")
        except OSError as error:
            errors.append(str(error))
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(near, server_hostname=name) as sock:
            sock.recv(1)
    except OSError as error:
        errors.append(str(error))
        near.close()
    thread.join(60)
    return "; ".join(errors)


def _server(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load(context, pair)
    return context


def edit(api: ApiServer, path: str, **changes: Any) -> None:
    """Change fields of an object as a person does."""
    api.put(path, {**api.objects[path], **changes})
