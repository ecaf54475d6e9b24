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

MAX_BYTES = 2 << 20
"""Maximum of bytes of the content, as it is shared with web processes."""

log = logging.getLogger("telegen.supervisor")


def load_web_file(web: Web, may_be_empty: bool = True) -> tuple[WebFile, tuple[str, ...]]:
    """Read and check the web configuration; return it with the paths of the files that it was read from.

    Args:
        may_be_empty: see `telegen.config.document.read_document`.

    Raises:
        ConfigError: one line per problem.
    """
    if not web.web_config_file:
        return WebFile(tokens=web.auth == "kubernetes"), ()
    content, paths = read_web_file(web.web_config_file, may_be_empty)
    content = msgspec.structs.replace(content, tokens=web.auth == "kubernetes")
    if len(msgspec.msgpack.encode(content)) > MAX_BYTES:
        raise ConfigError(f"{web.web_config_file}: more than {MAX_BYTES >> 20} MiB together with the files that it names")
    if content.users and content.tokens:
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
        self._files: dict[str, WatchedFile] = {}
        self._content: WebFile | None = None
        self._problem = ""
        self._is_settled = True

    def adopt(self, web: Web, content: WebFile, paths: tuple[str, ...]) -> None:
        """Publish the content of a new configuration.

        Args:
            content, paths: returned by `load_web_file` for `web`.
        """
        self._web = web
        self._publish(content, paths)

    def load(self, web: Web) -> tuple[WebFile, tuple[str, ...]]:
        """Return what `load_web_file` does. A file that had content may not become empty, which would end TLS and authentication.

        Raises:
            ConfigError: one line per problem.
        """
        is_same = web.web_config_file == self._web.web_config_file
        had_content = self._content is not None and msgspec.structs.replace(self._content, tokens=False) != WebFile()
        return load_web_file(web, may_be_empty=not (is_same and had_content))

    def follow(self) -> None:
        """Read the files again if one has changed; log an error and keep the old content if they are invalid."""
        # Every file is asked: each remembers what it saw.
        changed = any([file.changed() for file in self._files.values()])
        if self._is_settled and not changed:
            return
        try:
            content, paths = self.load(self._web)
        except ConfigError as error:
            self._reject(str(error), changed)
            return
        if self._publish(content, paths):
            self._telemetry.reloads.labels("success").inc()
            log.info("web configuration reloaded: %s", self._web.web_config_file)

    def _reject(self, problem: str, changed: bool) -> None:
        """Log a problem once, and try again in every turn: its cause may be in a file that the old content does not name."""
        if changed or problem != self._problem:
            for line in problem.splitlines():
                log.error("reload of the web configuration failed: %s; the old one stays in force", line, extra={UNLIMITED: True})
            self._telemetry.reloads.labels("error").inc()
        self._problem, self._is_settled = problem, False

    def _publish(self, content: WebFile, paths: tuple[str, ...]) -> bool:
        """Watch the files, and publish the content; return False if it is the old one."""
        # A file that was not watched while it was read may have changed since: it is read once more.
        self._problem, self._is_settled = "", self._files.keys() >= set(paths)
        self._files = {path: self._files.get(path) or WatchedFile(path) for path in paths}
        if content == self._content:
            return False
        self._shared.write(msgspec.msgpack.encode(content))
        self._content = content
        return True
