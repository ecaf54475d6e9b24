"""`telegen compare`: differences of two pages."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from telegen.cli.exposition_parser import InvalidExposition, parse
from telegen.cli.main import main

OLD = r"""# HELP kube_pod_info Something.
# TYPE kube_pod_info gauge
kube_pod_info{namespace="shop",pod="a",node=""} 1
kube_pod_info{namespace="shop",pod="b",node="n1"} 1
kube_pod_info{namespace="shop",pod="c",note="say \"hi\", {ok}\\"} 1
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{id="/a"} 10 1767600000123
container_cpu_usage_seconds_total{id="/b"} 20 1767600000456
# TYPE kube_node_spec_unschedulable gauge
kube_node_spec_unschedulable{node="n1"} NaN
kube_node_spec_unschedulable{node="n2"} +Inf
up 1
"""


class Comparing:
    """Runs the command on two pages."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(self, old: str | bytes, new: str | bytes, *arguments: str) -> tuple[int, list[str]]:
        """Return the exit status and the lines of the report."""
        for name, page in (("old", old), ("new", new)):
            (self._folder / name).write_bytes(page.encode() if isinstance(page, str) else page)
        status = main(["compare", str(self._folder / "old"), str(self._folder / "new"), *arguments])
        printed = self._capsys.readouterr()
        return status, (printed.out + printed.err).splitlines()

    def printed(self) -> str:
        """Return the lines on standard error since the last call."""
        return self._capsys.readouterr().err


@pytest.fixture
def compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Comparing:
    """The command."""
    return Comparing(tmp_path, capsys)


def test_the_same_page_in_other_words(compare: Comparing) -> None:
    """Order of lines and labels, empty labels, timestamps, the form of numbers, HELP, exemplars, compression and the names of
    types in OpenMetrics make no difference."""
    new = r"""# TYPE up unknown
up 1.0
# TYPE kube_node_spec_unschedulable gauge
kube_node_spec_unschedulable{node="n2"} Inf
kube_node_spec_unschedulable{node="n1"} NaN
# TYPE container_cpu_usage_seconds counter
container_cpu_usage_seconds_total{id="/b"} 2e1 # {trace="x"} 0.5
container_cpu_usage_seconds_total{id="/a",pod=""} 10.0
# TYPE kube_pod info
kube_pod_info{pod="c", note="say \"hi\", {ok}\\", namespace="shop",} 1
kube_pod_info{pod="b",node="n1",namespace="shop"} 1
kube_pod_info{pod="a",namespace="shop"} 1
# EOF
"""
    status, lines = compare(OLD, gzip.compress(new.encode()))
    assert lines == ["4 metrics: 4 agree, 0 differ; 8 series equal, 0 missing, 0 extra, 0 different"]
    assert status == 0


def test_report_of_differences(compare: Comparing) -> None:
    """The report has missing, extra and different series by metric, missing metrics, and changed types."""
    new = OLD.replace('pod="b"', 'pod="B"').replace("up 1\n", "").replace('"/b"} 20', '"/b"} 21')
    new = new.replace("usage_seconds_total counter", "usage_seconds_total gauge")
    status, lines = compare(OLD, new)
    assert status == 1
    assert lines == [
        "container_cpu_usage_seconds_total: 1 equal, 1 different",
        "  type: counter changed to gauge",
        '  ~ container_cpu_usage_seconds_total{id="/b"} 20 changed to 21',
        "kube_pod_info: 2 equal, 1 missing, 1 extra",
        '  - kube_pod_info{namespace="shop",node="n1",pod="b"} 1',
        '  + kube_pod_info{namespace="shop",node="n1",pod="B"} 1',
        "up: 0 equal, 1 missing",
        "  - up 1",
        "4 metrics: 1 agree, 3 differ; 5 series equal, 2 missing, 1 extra, 1 different",
    ]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 1),
        (("--tolerance", "0.05"), 0),
        (("--tolerance", "0.04"), 1),
        (("--ignore-value", "^container_cpu"), 0),
        (("--ignore-value", "^container_mem"), 1),
        (("--family", "^kube_", "--family", "^up"), 0),
        (("--family", "cpu"), 1),
    ],
)
def test_values_that_move(arguments: tuple[str, ...], status: int, compare: Comparing) -> None:
    """--tolerance, --ignore-value and --family choose the values that must be equal."""
    assert compare(OLD, OLD.replace('"/b"} 20', '"/b"} 21'), *arguments)[0] == status


def test_ignored_labels_and_extra_series(compare: Comparing) -> None:
    """--ignore-label compares without a label; --allow-extra reports new series and exits with 0."""
    new = OLD.replace('"/a"}', '"/z"}').replace('"/b"}', '"/y"}')
    assert compare(OLD, new, "--ignore-value", "cpu")[0] == 1
    assert compare(OLD, new, "--ignore-label", "id", "--ignore-value", "cpu")[0] == 0
    assert compare(OLD, OLD + "more 1\n")[0] == 1
    status, lines = compare(OLD, OLD + "more 1\n", "--allow-extra")
    assert status == 0 and lines[:2] == ["more: 0 equal, 1 extra", "  + more 1"]


def test_series_that_come_twice(compare: Comparing) -> None:
    """A repeated series on the new page is a difference; on the old page it is only reported."""
    twice = OLD + "up 1\n"
    status, lines = compare(OLD, twice)
    assert status == 1 and "  the new page has 1 repeated series" in lines
    assert compare(twice, OLD)[0] == 0


def test_examples_are_limited(compare: Comparing) -> None:
    """--limit bounds the examples of each kind; the number of the others is printed."""
    many = "".join(f'm{{n="{number}"}} 1\n' for number in range(9))
    lines = compare(many, "m 1\n", "--limit", "2")[1]
    assert lines[0] == "m: 0 equal, 9 missing, 1 extra"
    assert lines[1:4] == ['  - m{n="0"} 1', '  - m{n="1"} 1', "  - and 7 more"]
    assert len(compare(many, "m 1\n", "--limit", "0")[1]) == 2


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (b"a 1\nb\n", "line 2 is not a sample: b"),
        (b"<html>\n", "line 1 is not a sample: <html>"),
        (b"a one\n", "line 1: one is not a number"),
        (b'a{b=1} 1\n', "line 1: malformed labels: b=1"),
        (b'a{b="1} 1\n', "line 1 is not a sample"),
        (b"a \xff\n", "byte 2 is not UTF-8"),
    ],
)
def test_what_is_no_page(page: bytes, message: str) -> None:
    """The error for a malformed page gives the line."""
    with pytest.raises(InvalidExposition, match=f"^{message}"):
        parse(page, lambda name: True)


def test_bad_usage(compare: Comparing, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A missing or broken file and an invalid option are errors with exit status 2."""
    assert main(["compare", str(tmp_path / "none"), "x"]) == 2
    assert capsys.readouterr().err == f"telegen: {tmp_path / 'none'}: No such file or directory\n"
    status, lines = compare(b"\x1f\x8bnonsense", "a 1\n")
    assert status == 2 and len(lines) == 1 and lines[0].startswith(f"telegen: {tmp_path / 'old'}: ")
    for bad in (("--family", "["), ("--tolerance", "2"), ("--tolerance", "x")):
        with pytest.raises(SystemExit):
            compare(OLD, OLD, *bad)


class Server(BaseHTTPRequestHandler):
    """Serves OLD, compressed if the client accepts gzip."""

    def do_GET(self) -> None:
        """Serve /metrics; send 404 for other paths."""
        body = gzip.compress(OLD.encode())
        self.send_response(200 if self.path == "/metrics" else 503, None if self.path == "/metrics" else "Busy")
        if self.path == "/metrics":
            assert self.headers["Accept-Encoding"] == "gzip" and "text/plain" in self.headers["Accept"]
            self.send_header("Content-Encoding", "gzip")
        else:
            body = b"come again\nlater\n"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal of the tests clean."""


@pytest.fixture
def url() -> Iterator[str]:
    """URL of a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_over_the_wire(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A URL can be compared with a file; an error response and a refused connection are reported."""
    (tmp_path / "page").write_text(OLD)
    assert main(["compare", f"{url}/metrics", str(tmp_path / "page")]) == 0
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "page"), f"{url}/busy"]) == 2
    assert capsys.readouterr().err == f"telegen: {url}/busy: 503 Busy: come again\n"
    host = url.removeprefix("http://")
    for where in (host, f"{host}/metrics", f"HTTP://{host}/metrics"):
        assert main(["compare", where, str(tmp_path / "page")]) == 0
    assert main(["compare", f"{host}/busy", str(tmp_path / "page")]) == 2
    capsys.readouterr()
    assert main(["compare", "http://127.0.0.1:1/metrics", f"{url}/metrics"]) == 2
    assert capsys.readouterr().err == "telegen: http://127.0.0.1:1/metrics: [Errno 111] Connection refused\n"


def test_numbers_are_short(compare: Comparing) -> None:
    """Values are printed with the fewest digits: 0.1, not the seventeen digits of the nearest binary fraction."""
    _, lines = compare("a 0.1\nb 1e+20\nc 3\n", "a 0.3\n")
    assert {"  ~ a 0.1 changed to 0.3", "  - b 1e+20", "  - c 3"} <= set(lines)


def test_nothing_to_compare(compare: Comparing) -> None:
    """An empty page, as a failed download leaves it, is an error; so are expressions that match no metric."""
    for page in ("", "# HELP up Something.\n"):
        status, lines = compare(page, OLD, "--allow-extra")
        assert (status, len(lines)) == (2, 1)
        assert lines[0].endswith("old: the page has no samples")
    assert compare(OLD, OLD, "--family", "nosuch") == (2, ["telegen: --family: no metric of either page matches"])


def test_tolerance_that_is_none(compare: Comparing) -> None:
    """An invalid --tolerance is refused with its value."""
    for text, message in (("x", "x is not a number"), ("2", "2 is not between 0 and 1")):
        with pytest.raises(SystemExit) as raised:
            compare(OLD, OLD, "--tolerance", text)
        assert raised.value.code == 2
        assert f"--tolerance: {message}" in compare.printed()
