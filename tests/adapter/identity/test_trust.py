"""The ConfigMap with the authorities of clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.adapter.identity.trust import Trust, read_trust
from telegen.adapter.identity.trust_store import TrustStore
from tests.adapter.pki import authority

NAME = {"name": "extension-apiserver-authentication"}


def test_reading(tmp_path: Path) -> None:
    """Bundles may have several authorities and comments in any language; headers are in lower case; absent keys are empty."""
    text = "# Zertifikate für Nutzer\n" + "".join(authority(tmp_path, name)[0].read_text() for name in ("a", "b"))
    trust = read_trust({"client-ca-file": text, "requestheader-username-headers": '["X-Remote-User", "X-User"]'})
    assert len(trust.clients.der) == 2 and not trust.proxies.der
    assert (trust.user_headers, trust.group_headers, trust.allowed) == (("x-remote-user", "x-user"), (), frozenset())
    assert read_trust({}) == Trust()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"client-ca-file": "nothing"}, "client-ca-file: no certificate in PEM form"),
        ({"client-ca-file": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "client-ca-file: a certificate cannot"),
        ({"requestheader-allowed-names": "a,b"}, "requestheader-allowed-names: expected a JSON list of strings"),
        ({"requestheader-group-headers": '{"a": 1}'}, "requestheader-group-headers: expected a JSON list of strings"),
        ({"requestheader-group-headers": "[1]"}, "requestheader-group-headers: expected a JSON list of strings"),
    ],
)
def test_malformed(data: dict[str, str], message: str) -> None:
    """The error names the key."""
    with pytest.raises(ValueError) as caught:
        read_trust(data)
    assert str(caught.value).startswith(message)


def test_store_keeps_what_is_trusted(tmp_path: Path) -> None:
    """A ConfigMap that is malformed, gone or absent from a list leaves the authorities as they were; before the first none is trusted."""
    store = TrustStore()
    store.replace(iter(()))
    assert "does not exist" in store.problem and store.trust == Trust()
    good = {"metadata": NAME, "data": {"client-ca-file": authority(tmp_path, "a")[0].read_text()}}
    store.replace(iter([("ADDED", {"metadata": {"name": "other"}, "data": {}}), ("ADDED", good)]))
    trust, version = store.trust, store.version
    assert not store.problem and trust.clients.der
    store.upsert({"metadata": NAME, "data": {"client-ca-file": "x"}})
    store.delete(good)
    store.replace(iter(()))
    store.upsert(good)
    assert (store.trust, store.version, store.problem) == (trust, version, "")
