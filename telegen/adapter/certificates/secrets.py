"""Secrets of the adapter. Writes are optimistic: an update names the resourceVersion that it replaces."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from telegen.adapter.certificates.authorities import Authorities
from telegen.adapter.certificates.document import Pair
from telegen.adapter.certificates.pem import certificates_of
from telegen.adapter.certificates.signing import authority_problem
from telegen.api.client import Client
from telegen.api.errors import NotFound, ProtocolError

CERTIFICATE, KEY, BUNDLE = "tls.crt", "tls.key", "ca.crt"
NEXT_CERTIFICATE, NEXT_KEY = "next.crt", "next.key"
LABELS = {"app.kubernetes.io/name": "telegen-adapter", "app.kubernetes.io/managed-by": "telegen-adapter"}


@dataclass(frozen=True)
class Secret:
    """A Secret as read, or to be written. Its data are not part of the representation.

    Attributes:
        metadata: of the object as read; {} if it does not exist.
        type: of the object as read; it cannot be changed.
        data: text by key; values that are no text are left out.
    """

    name: str
    metadata: Mapping[str, object] = field(default_factory=dict, repr=False)
    type: str = "Opaque"
    data: Mapping[str, str] = field(default_factory=dict, repr=False)


class Secrets:
    """Secrets of one namespace, each by its name."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._path = client, f"/api/v1/namespaces/{namespace}/secrets"
        self._namespace = namespace

    def read(self, name: str) -> Secret:
        """Return a Secret, without metadata and data if it does not exist.

        Raises:
            ApiError, Unreachable, ProtocolError.
        """
        try:
            found = self._client.get(f"{self._path}/{name}", {}, "application/json")
            data = {key: text for key, value in (found.get("data") or {}).items() if (text := _decoded(value)) is not None}
            return Secret(name, dict(found["metadata"]), str(found.get("type") or "Opaque"), data)
        except NotFound:
            return Secret(name)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # The message of the error may hold a part of the data.
            raise ProtocolError(f"Secret {name}: not a Secret: {type(error).__name__}") from None

    def write(self, secret: Secret, data: Mapping[str, str]) -> None:
        """Replace the data of a Secret that was read, or create it. Labels and annotations of others stay.

        Raises:
            Conflict: it has changed, was deleted, or exists already.
            NotFound: it was deleted.
            ApiError, Unreachable, ProtocolError: after the last two the write may or may not have been done.
        """
        encoded = {key: b64encode(text.encode()).decode() for key, text in data.items()}
        known = {key: value for key, value in secret.metadata.items() if key != "managedFields"}
        metadata = known or {"name": secret.name, "namespace": self._namespace, "labels": LABELS}
        obj = {"apiVersion": "v1", "kind": "Secret", "type": secret.type, "metadata": metadata, "data": encoded}
        method, path = ("PUT", f"{self._path}/{secret.name}") if secret.metadata else ("POST", self._path)
        self._client.write(method, path, obj)


def read_authorities(secret: Secret) -> Authorities | None:
    """Return the authorities of a Secret; None if it holds no CA that can sign."""
    data = secret.data
    current = Pair("".join(certificates_of(data.get(CERTIFICATE, ""))[:1]), data.get(KEY, ""))
    if authority_problem(current):
        return None
    successor = Pair(data[NEXT_CERTIFICATE], data[NEXT_KEY]) if data.get(NEXT_CERTIFICATE) and data.get(NEXT_KEY) else None
    return Authorities(current, successor, certificates_of(data.get(BUNDLE, "")))


def authorities_data(authorities: Authorities) -> dict[str, str]:
    """Return the data of the Secret of authorities."""
    successor = authorities.successor
    later = {NEXT_CERTIFICATE: successor.certificate, NEXT_KEY: successor.key} if successor else {}
    return {**_pair_data(authorities.current), **later, BUNDLE: authorities.bundle}


def agents_data(pair: Pair, bundle: str) -> dict[str, str]:
    """Return the data of the Secret that agents mount."""
    return {**_pair_data(pair), BUNDLE: bundle}


def read_pair(secret: Secret) -> Pair:
    """Return certificate and key of a Secret, empty texts for what it lacks."""
    return Pair(secret.data.get(CERTIFICATE, ""), secret.data.get(KEY, ""))


def _pair_data(pair: Pair) -> dict[str, str]:
    return {CERTIFICATE: pair.certificate, KEY: pair.key}


def _decoded(value: str) -> str | None:
    try:
        return b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
