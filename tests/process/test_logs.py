"""Log lines: text from the API, repeated warnings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import orjson
import pytest

from telegen.otlp.http import HttpClient
from telegen.otlp.outcome import Retry
from telegen.otlp.settings import Receiver
from telegen.process import log_repeats
from telegen.process.log_repeats import UNLIMITED, RepeatFilter
from telegen.process.logs import configure
from tests.otlp.receiver import Answer, scripted

FORGED = "pod\n2026-11-28T09:30:00.120Z error   supervisor: forged\x1b[2J\x9b\u2028\u202e\udcff"


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """A function that returns standard error; the configuration of the root logger is restored after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_libraries_follow_the_level(written: Callable[[], str]) -> None:
    """A process that adopts another level limits its libraries by it, gunicorn too: to warnings, or to errors."""
    configure("web", "info", "text")
    gunicorn = logging.getLogger("telegen.web.access")
    gunicorn.info("request")
    assert written() == ""
    configure("web", "error", "text")
    gunicorn.warning("slow")
    assert written() == ""
    configure("web", "warning", "text")
    gunicorn.warning("slow")
    assert written().endswith("web: slow\n")


def test_malformed_answers_write_nothing_of_their_own(written: Callable[[], str]) -> None:
    """A server whose headers are malformed has no traceback per answer in the log; other warnings of the library stay."""
    configure("push", "info", "text")
    with scripted() as receiver:
        receiver.script = [Answer(503, headers={"": "x"})]
        one = HttpClient(Receiver(f"{receiver.url}/v1/metrics"))
        assert one.send(one.pack(b"")) == Retry("503", "503 Service Unavailable")
    assert written() == ""
    logging.getLogger("urllib3.connectionpool").warning("pool is full")
    assert written().endswith("push: pool is full\n")


def test_text_has_one_line_per_record(written: Callable[[], str]) -> None:
    """Control characters are escaped, so that a name cannot forge a line or control the terminal."""
    configure("watch", "info", "text")
    logging.getLogger("a").warning("%s: left out", FORGED)
    (line,) = written().splitlines()
    assert line.endswith(
        r"watch: pod\n2026-11-28T09:30:00.120Z error   supervisor: forged\x1b[2J\x9b\u2028\u202e\udcff: left out"
    )


def test_lines_of_a_traceback_are_indented(written: Callable[[], str]) -> None:
    """The text of an exception cannot forge a line either."""
    configure("watch", "info", "text")
    try:
        raise ValueError(FORGED)
    except ValueError:
        logging.getLogger("a").exception("failed")
    text = written()
    first, *others = text.splitlines()
    assert first.endswith("error   watch: failed") and all(line.startswith("  ") for line in others)
    assert "Traceback" in others[0] and r"\x1b[2J" in text


def test_json_has_the_text_itself(written: Callable[[], str]) -> None:
    """JSON escapes characters itself; bytes that are not UTF-8 do not stop the log."""
    configure("watch", "info", "json")
    logging.getLogger("a").warning("%s", FORGED)
    (line,) = written().split("\n")[:-1]
    assert orjson.loads(line)["message"] == FORGED.replace("\udcff", "\\udcff")


def test_repeated_warnings_are_limited(written: Callable[[], str]) -> None:
    """Of one text the first ones are logged. Messages that inform are all logged."""
    configure("watch", "info", "text")
    log = logging.getLogger("a")
    for _ in range(50):
        log.warning("%s: gone", "pods")
        log.info("%s: synced", "pods")
    text = written()
    assert text.count("gone") == log_repeats.SAME and text.count("synced") == 50


def test_count_of_warnings_left_out() -> None:
    """After the period the number of warnings left out is logged before the next record, also for changing texts."""
    lines: list[str] = []
    now = [0.0]
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    handler.addFilter(RepeatFilter(handler.emit, lambda: now[0]))
    log = logging.Logger("a")
    log.addHandler(handler)
    for number in range(250):
        log.error("client %d: broken", number)
    for _ in range(20):
        log.error("pods: gone")
    assert len(lines) == log_repeats.ALIKE + log_repeats.SAME
    now[0] = 60.0
    del lines[:]
    log.info("fine")
    assert lines == ["client 249: broken (150 more like this in 60 s)", "pods: gone (15 more like this in 60 s)", "fine"]
    log.error("pods: gone")
    assert lines[-1] == "pods: gone"


def test_answers_to_a_person_are_never_left_out(written: Callable[[], str]) -> None:
    """Records that are marked as unlimited are all written."""
    configure("supervisor", "info", "text")
    for _ in range(20):
        logging.getLogger("test").error("reload failed", extra={UNLIMITED: True})
    assert written().count("reload failed") == 20
