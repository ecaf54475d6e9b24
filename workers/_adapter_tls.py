"""TLS of the adapter's address: the serving certificate in force."""

from __future__ import annotations

import ssl
import time

from telegen.config.adapter_model import AdapterTls
from telegen.process.os_process import BootFailure, Exit

LOOK = 1.0
"""Seconds between two looks at the files."""


class AdapterTlsContext:
    """Context of the next connection, by the certificate files."""

    def __init__(self, settings: AdapterTls) -> None:
        self._settings = settings
        self._looked = time.monotonic()
        self._context = self._load()

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._settings.cert_file, self._settings.key_file)
        except (OSError, ssl.SSLError) as error:
            raise BootFailure(Exit.BOOT, f"adapter.tls: {error}") from error
        return context

    @property
    def context(self) -> ssl.SSLContext:
        """Context of the next connection."""
        return self._context

    def accepts(self, connection: ssl.SSLObject | ssl.SSLSocket) -> bool:
        """Return True: rights are checked per request."""
        return True
