"""TLS of a listening address, as connections use it."""

from __future__ import annotations

import ssl
from typing import Protocol


class ConnectionSecurity(Protocol):
    """TLS of a listening address."""

    @property
    def context(self) -> ssl.SSLContext | None:
        """Context of the next connection; None without TLS."""

    def accepts(self, connection: ssl.SSLObject | ssl.SSLSocket) -> bool:
        """Return True if a client, whose certificate is verified if it has one, may send requests."""


class NoTls:
    """An address without TLS."""

    @property
    def context(self) -> ssl.SSLContext | None:
        """Return None."""
        return None

    def accepts(self, connection: ssl.SSLObject | ssl.SSLSocket) -> bool:
        """Return True."""
        return True
