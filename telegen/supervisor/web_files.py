"""The web configuration file: the supervisor reads it and the files that it names, and hands their content to the web processes.

Web processes may not read these files themselves (see `telegen.process.confinement`), and adopt a new content without a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec

from telegen.config import Config, ConfigError
from telegen.config.model import Web
from telegen.config.web_file import WebFile, read_web_file
from telegen.kubemetrics.telemetry import Telemetry
from telegen.process.log_repeats import UNLIMITED
from telegen.process.tls import InvalidCertificate, server_context
from telegen.shm.shared_document import SharedDocument
from telegen.supervisor.file_watch import WatchedFile

log = logging.getLogger("telegen.supervisor")


def load_web_file(web: Web) -> tuple[WebFile, tuple[str, ...]]:
    """Read and check the web configuration; return it with the paths of the files that it was read from.

    Raises:
        ConfigError: one line per problem.
    """
    if not web.web_config_file:
        return WebFile(), ()
    content, paths = read_web_file(web.web_config_file)
    if content.users and web.auth != "none":
        raise ConfigError(f"{web.web_config_file}: basic_auth_users: cannot be used with web.auth: {web.auth}; remove one of them")
    try:
        server_context(content)
    except InvalidCertificate as error:
        raise ConfigError(f"{web.web_config_file}: {error}") from error
    return content, paths


def web_file_problems(config: Config) -> Iterator[str]:
    """Yield one line per problem of the web configuration file."""
    try:
        load_web_file(config.web)
    except ConfigError as error:
        yield from (f"web.web_config_file: {line}" for line in str(error).splitlines())


class WebFiles:
    """Follows the files of the web configuration.

    Args:
        shared: the content for web processes.
    """

    def __init__(self, shared: SharedDocument, telemetry: Telemetry) -> None:
        self._shared, self._telemetry = shared, telemetry
        self._web = Web()
        self._files: list[WatchedFile] = []
        self._content: WebFile | None = None

    def adopt(self, web: Web) -> None:
        """Read the files of a new configuration.

        Raises:
            ConfigError: they are invalid; the content before stays in force.
        """
        content, paths = load_web_file(web)
        self._web = web
        self._publish(content, paths)

    def follow(self) -> None:
        """Read the files again if one has changed; log an error and keep the old content if they are invalid."""
        # Every file is asked: each remembers what it saw.
        if not any([file.changed() for file in self._files]):
            return
        try:
            content, paths = load_web_file(self._web)
        except ConfigError as error:
            for line in str(error).splitlines():
                log.error("reload of the web configuration failed: %s; the old one stays in force", line, extra={UNLIMITED: True})
            self._telemetry.reloads.labels("error").inc()
            return
        if content != self._content:
            self._publish(content, paths)
            self._telemetry.reloads.labels("success").inc()
            log.info("web configuration reloaded: %s", self._web.web_config_file)

    def _publish(self, content: WebFile, paths: tuple[str, ...]) -> None:
        if content != self._content:
            self._shared.write(msgspec.msgpack.encode(content))
            self._content = content
        self._files = [WatchedFile(path) for path in paths]
