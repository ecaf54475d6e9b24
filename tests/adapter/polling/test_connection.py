"""Connection to one agent, step by step."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from telegen.adapter.agents.connection import CHUNK, Connection, ConnectionFailed
from tests.adapter.polling.wire import Certificates


def test_refusal_before_the_request(tmp_path: Path) -> None:
    """An agent that refuses the certificate and closes before the request is sent is a failure of TLS, with OpenSSL's reason."""
    certificates, buffer = Certificates(tmp_path / "trusted"), bytearray(CHUNK)
    identity = certificates.identity()
    identity.context.load_cert_chain(*Certificates(tmp_path / "other").adapter)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection("127.0.0.1", listener.getsockname()[1], identity)
        accepted, _ = listener.accept()
    with certificates.server().wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as agent:
        agent.setblocking(False)
        assert connection.advance(buffer) is None
        with pytest.raises(ssl.SSLWantReadError):
            agent.do_handshake()
        assert connection.advance(buffer) is None, "the client has finished its handshake"
        with pytest.raises(ssl.SSLCertVerificationError):
            agent.do_handshake()
    connection.send(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ConnectionFailed, match="unknown ca") as failure:
        connection.advance(buffer)
    connection.close()
    assert failure.value.kind == "tls"
