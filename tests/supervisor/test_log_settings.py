"""Settings of logs that follow a reload."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from telegen.config.model import Log
from telegen.process.log_settings import LogSettings, log_text
from telegen.shm.shared_value import SharedText


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The root logger after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


def test_logs_follow_a_reload(capsys: pytest.CaptureFixture[str]) -> None:
    """A running process adopts level and format, once."""
    shared = SharedText()
    settings = LogSettings("watch-pods", Log(), shared)
    assert not settings.follow() and logging.getLogger().level == logging.INFO
    shared.write(log_text(Log(level="debug", format="json")))
    assert settings.follow() and not settings.follow()
    logging.getLogger("telegen.test").debug("event")
    assert '"message":"event"' in capsys.readouterr().err
