"""Two adapters with an own CA in a Secret, without files of a user: one CA, and its rotation without a restart."""

from __future__ import annotations

import re
import socket
import ssl
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.adapter.certificates.api_server import ApiServer, serving_apiservice
from tests.adapter.certificates.replicas import AGENTS, AUTHORITY, ca_bundle, data
from tests.harness import clean_environ, free_port, get, running
from tests.process_tree import wait_for

OWN = "v1beta1.metrics.k8s.io"
SETTINGS = """\
kube_metrics: {{kube_state: {{apiserver: '{api}'}}}}
adapter:
  listen_address: '127.0.0.1:{port}'
  telemetry_address: '127.0.0.1:{plain}'
  groups: [metrics.k8s.io]
  drain: 0s
  tls: {{propagation: 1s}}
"""


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """API server with one APIService of the adapter."""
    with serving_apiservice(OWN) as server:
        yield server


def presented(port: int, bundle: str) -> str:
    """Connect as the API server does; return the certificate, or "" if the handshake fails."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=bundle)
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            with context.wrap_socket(plain, server_hostname="telegen-adapter.telegen.svc") as sock:
                return ssl.DER_cert_to_PEM_cert(sock.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError):
        return ""


def test_two_adapters_share_a_ca_and_rotate_it(api: ApiServer, tmp_path: Path) -> None:
    """Both present certificates of one CA. When its Secret is deleted, another CA takes over, and no handshake fails meanwhile."""
    ports, plain = (free_port(), free_port()), [free_port(), free_port()]
    with ExitStack() as stack:
        for port, second in zip(ports, plain, strict=True):
            config = tmp_path / str(port) / "config.yaml"
            config.parent.mkdir()
            config.write_text(SETTINGS.format(api=api.url, port=port, plain=second))
            command = [sys.executable, "-m", "telegen", "adapter", "--config", str(config)]
            stack.enter_context(running(command, {**clean_environ(), "POD_NAMESPACE": "telegen"}, port, config))
        for port in ports:
            wait_for("a certificate", lambda port=port: presented(port, ca_bundle(api)), 30, 0.1)
        before = [presented(port, ca_bundle(api)) for port in ports]
        authority = data(api, AUTHORITY)["tls.crt"]
        assert data(api, AGENTS)["ca.crt"] == ca_bundle(api) == authority
        page = get(f"http://127.0.0.1:{plain[0]}/metrics").body.decode()
        ends = set(re.findall(r'^telegen_adapter_certificate_end_timestamp_seconds{certificate="(\w+)"}', page, re.M))
        assert ends == {"ca", "serving", "client", "agents"}
        del api.objects[AUTHORITY]
        failed, deadline = 0, time.monotonic() + 30
        while any(presented(port, ca_bundle(api)) in before for port in ports) and time.monotonic() < deadline:
            failed += sum(not presented(port, ca_bundle(api)) for port in ports)
            time.sleep(0.05)
        assert failed == 0
        assert all(presented(port, data(api, AUTHORITY)["tls.crt"]) for port in ports)
        assert data(api, AUTHORITY)["tls.crt"] != authority
        assert not [log for log in tmp_path.glob("*/log") if "PRIVATE" in log.read_text()]
        assert authority in ca_bundle(api) and b64decode(api.objects[AGENTS]["data"]["ca.crt"]).decode() == ca_bundle(api)
