"""The application of adapter.agent_address in one process; tests/e2e/test_usage.py has whole agents."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import falcon.testing
import msgspec
import pytest

from telegen.cadvisor.usage.document import PodObject, UsageDocument, encode_objects
from telegen.config.web_file import WebFile
from telegen.kubemetrics.agent_app import Usage
from telegen.kubemetrics.agent_security import AgentSecurity
from telegen.kubemetrics.app import routed
from telegen.process.tls import has_name
from telegen.shm.reader import TornSnapshot
from telegen.shm.shared_document import SharedDocument
from tests.certificates import self_signed, signed


class Site:
    """The application, the document that it serves, and the shards of the agent."""

    def __init__(self) -> None:
        self.shared, self.shards = SharedDocument("usage", 1 << 20), [0, 2]
        self._client = falcon.testing.TestClient(routed({"/usage": Usage(self.shared, lambda: self.shards)}))

    def publish(self, *names: str, run: str = "r1") -> None:
        """Publish a document with these pods, without usage."""
        generation, objects = encode_objects([PodObject("shop", name, f"uid-{name}", b'{"app":"x"}', ("app",)) for name in names])
        rows = msgspec.json.encode([None for _ in names])
        self.shared.write(msgspec.msgpack.encode(UsageDocument(run, "n1", generation, objects, rows, b"null")))

    def get(self, query: str = "", **headers: str) -> falcon.testing.Result:
        """Send a GET."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self._client.simulate_get("/usage", query_string=query, headers=named)


def test_no_document_yet() -> None:
    """Before the second pass there is one line that says so."""
    answer = Site().get()
    assert answer.status_code == 503
    assert answer.text.startswith("No usage: there is no sampler, it has not ended its second pass") and answer.text.count("\n") == 1


def test_agent_without_containers() -> None:
    """An agent that serves kube_* alone has a document from its start, with its shards and without pods."""
    shards = [0]
    client = falcon.testing.TestClient(routed({"/usage": Usage(SharedDocument("usage", 1 << 20), lambda: shards, "n1")}))
    answer = client.simulate_get("/usage")
    expected = {"node": "n1", "objects": [], "pods": [], "node_usage": None, "shards": [0]}
    assert answer.json.items() >= expected.items()
    tag = {"If-None-Match": answer.headers["etag"]}
    assert client.simulate_get("/usage", headers=tag).status_code == 304
    shards.append(1)
    assert client.simulate_get("/usage", headers=tag).json["shards"] == [0, 1]


def test_tags() -> None:
    """A tag is good until another document, other shards, or another process of the sampler."""
    site, tags = Site(), list[str]()
    site.publish("a")
    for change in (lambda: None, lambda: site.publish("a"), site.shards.clear):
        change()
        answer = site.get()
        tags.append(answer.headers["etag"])
        again = site.get(If_None_Match=tags[-1])
        assert (answer.status_code, again.status_code, again.content) == (200, 304, b"")
        assert [site.get(If_None_Match=tag).status_code for tag in tags[:-1]] == [200] * (len(tags) - 1)
    restarted = Site()
    restarted.publish("a", run="r2")
    assert restarted.get(If_None_Match=tags[0]).status_code == 200


def test_objects_are_sent_once() -> None:
    """A client with the generation gets no objects; one with another generation gets them."""
    site = Site()
    site.publish("a", "b")
    document: dict[str, Any] = site.get().json
    assert [one["name"] for one in document["objects"]] == ["a", "b"] and document["objects"][0]["labels"] == {"app": "x"}
    assert document["pods"] == [None, None] and document["node_usage"] is None and document["shards"] == [0, 2]
    known = site.get(f"generation={document['generation']}").json
    assert {key for key in document if key not in known} == {"objects"}
    site.publish("a")
    assert "objects" in site.get(f"generation={document['generation']}").json


def test_snapshot_that_changes_all_the_time() -> None:
    """If the shards cannot be read at once, the client is told to come again."""
    site = Site()
    site.publish("a")

    def torn() -> list[int]:
        raise TornSnapshot("watch-pods")

    client = falcon.testing.TestClient(routed({"/usage": Usage(site.shared, torn)}))
    answer = client.simulate_get("/usage")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_names_in_certificates() -> None:
    """The name may be the common name or a DNS name, as a whole."""
    subject = ((("organizationName", "x"),), (("commonName", "telegen-adapter"),))
    good = [{"subject": subject}, {"subjectAltName": (("DNS", "a"), ("DNS", "telegen-adapter"))}]
    bad: list[dict[str, Any]] = [
        {},
        {"subject": ((("organizationName", "telegen-adapter"),),)},
        {"subjectAltName": (("URI", "telegen-adapter"), ("DNS", "telegen-adapter.x"), ("DNS", "*"))},
    ]
    assert [has_name(one, "telegen-adapter") for one in (*good, *bad, None)] == [True, True, False, False, False, False]


def test_no_certificates_no_plain_text() -> None:
    """Without certificates connections have TLS that refuses every handshake; they are never plain."""
    security = AgentSecurity(SharedDocument("agent-tls", 1 << 20))
    assert isinstance(security.context, ssl.SSLContext) and security.context is security.context


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, step: int) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Do a handshake in memory; what the client sends arrives in pieces of `step` bytes. Return both sides."""
    to_client, to_server, from_client, from_server = (ssl.MemoryBIO() for _ in range(4))
    sides = client.wrap_bio(to_client, from_client, server_hostname="agents.svc"), server.wrap_bio(to_server, from_server, server_side=True)
    try_handshake(sides[1])
    for _ in range(4):
        try_handshake(sides[0])
        while part := from_client.read(step):
            to_server.write(part)
            try_handshake(sides[1])
        to_client.write(from_server.read())
    return sides


def try_handshake(side: ssl.SSLObject) -> None:
    """Continue a handshake as far as it goes."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a certificate of the agents, one of the adapter, and one of another CA."""
    folder = tmp_path_factory.mktemp("certificates")
    authority, other = self_signed(folder, "ca"), self_signed(folder, "other-ca")
    signed(folder, "agents", "DNS:agents.svc", authority)
    signed(folder, "telegen-adapter", "DNS:telegen-adapter", authority)
    signed(folder, "stranger", "DNS:telegen-adapter", other)
    return folder


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("step", [50, 1 << 14])
@pytest.mark.parametrize("name", ["telegen-adapter", "stranger", ""])
def test_certificate_is_sent_alone(folder: Path, version: ssl.TLSVersion, step: int, name: str) -> None:
    """The adapter gets the certificate without its CA, and is verified by it; clients of other CAs or without a certificate are refused."""
    text = {one.name: one.read_text() for one in folder.iterdir()}
    shared = SharedDocument("agent-tls", 1 << 20)
    web = WebFile(certificate=text["agents.crt"], key=text["agents.key"], client_ca=text["ca.crt"], client_auth="required")
    shared.write(msgspec.msgpack.encode(web))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(folder / "ca.crt")
    client.maximum_version = version
    if name:
        client.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    security = AgentSecurity(shared)
    if name != "telegen-adapter":
        with pytest.raises(ssl.SSLError):
            handshake(security.context, client, step)
        return
    ours, theirs = handshake(security.context, client, step)
    assert theirs.version() == version.name.replace("_", ".") and security.accepts(theirs)
    # Python has a public function for it from 3.13 on.
    assert len(ours._sslobj.get_unverified_chain()) == 1  # type: ignore[attr-defined]
