"""The rules file of the adapter: the supervisor checks it and publishes its content, so that a restarted process has valid rules."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from telegen.config import Config, ConfigError
from telegen.config.document import MAX_BYTES, read_regular
from telegen.kubemetrics.telemetry import Telemetry
from telegen.process.log_repeats import UNLIMITED
from telegen.shm.shared_document import SharedDocument
from telegen.supervisor.file_watch import WatchedFile

log = logging.getLogger("telegen.supervisor")


def load_rules(path: str) -> bytes:
    """Return the content of a rules file that can be used; rules that are refused alone are no error.

    Args:
        path: "" for no file.

    Raises:
        ConfigError: one line.
    """
    if not path:
        return b""
    # Imported here because agents have no rules.
    from telegen.adapter.rules.reading import parse_rules

    try:
        content = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    parse_rules(content, path)
    return content


def rules_file_problems(config: Config) -> Iterator[str]:
    """Yield the problem of the rules file, if it cannot be used at all."""
    try:
        load_rules(config.adapter.rules_file)
    except ConfigError as error:
        yield f"adapter.rules_file: {error}"


def prometheus_problems(config: Config) -> Iterator[str]:
    """Yield one line per URL of a Prometheus server that is none."""
    if not config.adapter.prometheus:
        return
    # Imported here because agents ask no Prometheus.
    from telegen.adapter.prometheus import Prometheus

    for at, server in enumerate(config.adapter.prometheus):
        try:
            Prometheus(server.url)
        except ValueError as error:
            yield f"adapter.prometheus[{at}].url: {error}"


class RulesPublisher:
    """Publishes the content of the rules file, and follows its changes."""

    def __init__(self, shared: SharedDocument, telemetry: Telemetry) -> None:
        self._shared, self._telemetry = shared, telemetry
        self._path, self._content = "", b""
        self._file = WatchedFile(None)

    def load(self, path: str) -> bytes:
        """Return what `load_rules` does. A file that had content may not become empty: editors truncate it before they write it.

        Raises:
            ConfigError: one line.
        """
        content = load_rules(path)
        if path and path == self._path and self._content.strip() and not content.strip():
            raise ConfigError(f"{path}: the file is empty; write {{}} into it if there are to be no rules")
        return content

    def adopt(self, path: str, content: bytes) -> None:
        """Publish the content of a file that `load` has returned."""
        if path != self._path:
            self._path, self._file = path, WatchedFile(path or None)
        if content != self._content or not self._shared.number:
            self._shared.write(content)
        self._content = content

    def follow(self) -> None:
        """Read the file again if it has changed; log an error and keep the old rules if it cannot be used."""
        if not self._file.changed():
            return
        try:
            self.adopt(self._path, self.load(self._path))
        except ConfigError as error:
            log.error("reload of the rules failed: %s; the old rules stay in force", error, extra={UNLIMITED: True})
            self._telemetry.reloads.labels("error").inc()
            return
        self._telemetry.reloads.labels("success").inc()
        log.info("rules reloaded: %s", self._path)
