"""The certificates of adapter.agent_address: the supervisor reads them, and hands their content to the web processes.

A Secret in a volume may appear, and its files are replaced, at any time.
"""

from __future__ import annotations

import logging
import os

import msgspec

from telegen.config.document import read_regular
from telegen.config.web_file import MAX_PEM, WebFile
from telegen.process.log_repeats import UNLIMITED
from telegen.process.tls import InvalidCertificate, server_context
from telegen.shm.shared_document import SharedDocument
from telegen.supervisor.file_watch import WatchedFile

FILES = ("tls.crt", "tls.key", "ca.crt")
"""Certificate, key, and the CAs of clients."""

log = logging.getLogger("telegen.supervisor")


class AgentCertificates:
    """Follows the files.

    Args:
        shared: the content for web processes; empty without certificates.
    """

    def __init__(self, shared: SharedDocument) -> None:
        self._shared = shared
        self._folder = ""
        self._files: list[WatchedFile] = []
        self._content: WebFile | None = None
        self._problem = ""

    def adopt(self, folder: str) -> None:
        """Take the folder of a new configuration, and its files; "" without a listener."""
        if folder != self._folder:
            self._folder, self._problem = folder, ""
            self._files = [WatchedFile(os.path.join(folder, name)) for name in FILES] if folder else []
            self._publish(None)
            self._load()

    def follow(self) -> None:
        """Read the files again if one has changed, or if they could not be used before."""
        # Every file is asked: each remembers what it saw.
        if any([file.changed() for file in self._files]) or self._problem:
            self._load()

    def _load(self) -> None:
        if not self._folder:
            return
        try:
            content = read_certificates(self._folder)
        except (OSError, ValueError) as error:
            self._reject(error)
            return
        self._problem = ""
        if content != self._content:
            self._publish(content)
            log.info("adapter.agent_tls_dir: certificates loaded from %s", self._folder)

    def _reject(self, error: Exception) -> None:
        cause = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        if cause != self._problem:
            effect = "the old certificates stay in force" if self._content else "adapter.agent_address refuses all connections"
            cure = "mount the Secret that the adapter writes; the files are tried again every second"
            log.warning("adapter.agent_tls_dir: %s; %s; %s", cause, effect, cure, extra={UNLIMITED: True})
        self._problem = cause

    def _publish(self, content: WebFile | None) -> None:
        if content != self._content:
            self._shared.write(msgspec.msgpack.encode(content) if content else b"")
            self._content = content


def read_certificates(folder: str) -> WebFile:
    """Read the files of a folder, and check that they can be used.

    Raises:
        OSError: a file is missing or cannot be read.
        ValueError: a file is no certificate or key, or they do not belong together.
    """
    certificate, key, client_ca = (read_regular(os.path.join(folder, name), MAX_PEM).decode("utf-8", "replace") for name in FILES)
    content = WebFile(certificate=certificate, key=key, client_ca=client_ca, client_auth="required")
    try:
        if not server_context(content):
            raise ValueError(f"{folder}/{FILES[0]}: the file is empty")
    except InvalidCertificate as error:
        raise ValueError(f"{folder}: {str(error).removeprefix('tls_server_config.')}") from error
    return content
