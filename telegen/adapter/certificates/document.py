"""Certificates in force, as the process that keeps them publishes them to the others in shared memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec


@dataclass(frozen=True)
class Pair:
    """A certificate, with its chain if it has one, and its key, both in PEM. The key is not part of the representation."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Certificates:
    """Certificates of one replica of the adapter.

    Attributes:
        serving: of the Service, for the API server.
        client: with which agents are polled; its name is `telegen-adapter`.
        authorities: PEM of the CAs that sign the agents' certificates.
        agents_name: name in the certificates of all agents: `telegen-agents.NAMESPACE.svc`.
    """

    serving: Pair
    client: Pair
    authorities: str
    agents_name: str


def encode(certificates: Certificates) -> bytes:
    """Return the document."""
    return msgspec.msgpack.encode(certificates)


def decode(document: bytes) -> Certificates | None:
    """Return the certificates of a document; None before the first."""
    return msgspec.msgpack.decode(document, type=Certificates) if document else None
