"""Bodies as servers send them: gzip members however they are cut, and streams that deliver bytes but no event."""

from __future__ import annotations

import gzip
import json

import pytest

from telegen.api.body import Chunks, Gunzip, Lines
from telegen.api.client import Client, Timeouts
from telegen.api.credentials import credentials
from telegen.api.errors import ProtocolError
from tests.api.wire import (
    PATIENCE,
    ScriptedServer,
    Step,
    added,
    event,
    lines,
    members,
    page,
    pod,
    raw,
    reflecting,
    stream,
    whole,
    zipped,
)

STATE = [lines([one]) for one in whole("a", "b")]
"""One part per flush of the server."""


def test_members_in_one_read() -> None:
    """All members that arrive together are read, those behind the first bookmark too."""
    with reflecting(members(*STATE, lines([added("c", 11)]), lines([added("d", 12)]))) as running:
        running.wait_held("a", "b", "c", "d")
        assert running.noted.reasons == []


def test_little_gzip_that_is_large() -> None:
    """A member that decompresses to a thousand times its size comes in pieces of at most 1 MiB, and none of it is lost."""
    gunzip = Gunzip()
    parts = list(gunzip.decompress(gzip.compress(b"x" * (5 << 20)) + gzip.compress(b"y" * (1 << 20))))
    assert max(map(len, parts)) == 1 << 20
    assert b"".join(parts) == b"x" * (5 << 20) + b"y" * (1 << 20)
    assert gunzip.is_complete


def test_answer_that_is_too_large() -> None:
    """An answer beyond the limit is an error that names the setting, whatever its compressed size."""
    server = ScriptedServer([zipped(gzip.compress(b" " * (3 << 20) + b"{}"), stay=False)] * 2).start()
    try:
        for most, fails in ((2 << 20, True), (4 << 20, False)):
            client = Client(credentials(server.url, {}), Timeouts(1, 5), most)
            if fails:
                with pytest.raises(ProtocolError, match="api.max_response_size"):
                    client.get("/a", {}, "application/json")
            else:
                assert client.get("/a", {}, "application/json") == {}
    finally:
        server.stop()


def test_members_cut_at_every_byte() -> None:
    """Two members give the same bytes wherever the connection cuts them."""
    data = gzip.compress(b"first\n") + gzip.compress(b"second\n")
    for cut in range(len(data) + 1):
        gunzip = Gunzip()
        assert b"".join([*gunzip.decompress(data[:cut]), *gunzip.decompress(data[cut:])]) == b"first\nsecond\n"
        assert gunzip.is_complete


def test_lines_cut_at_every_byte() -> None:
    """Two lines that arrive in two pieces come out as they are; empty lines are left out."""
    data = '{"a":"ü"}\n\n{"b":2}\n'.encode()
    for cut in range(len(data) + 1):
        lines = Lines()
        assert [*lines.split(data[:cut]), *lines.split(data[cut:])] == ['{"a":"ü"}'.encode(), b'{"b":2}']
        assert lines.is_complete


def test_line_without_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that never ends is an error at its bound."""
    monkeypatch.setattr("telegen.api.body.MAX_LINE", 1000)
    lines = Lines()
    lines.split(b"x" * 600)
    with pytest.raises(ProtocolError, match="longer than 1000 bytes"):
        lines.split(b"x" * 600)


CHUNKED = b"5\r\nfirst\r\nA;name=value\r\n0123456789\r\n1  \r\n\r\r\n0\r\nTrailer: x\r\n\r\n"


def test_chunks_cut_at_every_byte() -> None:
    """Chunks give the same bytes wherever the connection cuts them, byte by byte as well; extensions and trailers are ignored."""
    for cut in range(len(CHUNKED) + 1):
        chunks = Chunks()
        assert chunks.decode(CHUNKED[:cut]) + chunks.decode(CHUNKED[cut:]) == b"first0123456789\r"
        assert chunks.is_complete
    chunks = Chunks()
    assert b"".join(chunks.decode(CHUNKED[at : at + 1]) for at in range(len(CHUNKED))) == b"first0123456789\r"


@pytest.mark.parametrize(
    "data", [b"-1\r\n", b"+5\r\nfirst\r\n", b"0x5\r\n", b"1_0\r\n", b"\r\n", b"f" * 16 + b"\r\n", b"5\r\nfirstX\r\n0\r\n", b"5" * 2000]
)
def test_chunks_that_are_malformed(data: bytes) -> None:
    """Sizes that are no hexadecimal number, data beyond the size, and heads without an end are errors."""
    with pytest.raises(ProtocolError, match="chunked"):
        Chunks().decode(data)


@pytest.mark.parametrize("cut", [1, 9, 10, 30, -1, -9])
def test_member_cut_on_the_wire(cut: int) -> None:
    """A member whose header, body or trailer arrives later."""
    with reflecting(members(*STATE, cut=cut % len(b"".join(map(gzip.compress, STATE))))) as running:
        running.wait_held("a", "b")


@pytest.mark.parametrize("coding", ["GZIP", " gzip", "x-gzip"])
def test_names_of_gzip(coding: str) -> None:
    """The name of a content coding is not case-sensitive (RFC 9110, section 8.4.1)."""
    data = b"".join(map(gzip.compress, STATE))
    with reflecting(zipped(data, coding=coding)) as running:
        running.wait_held("a", "b")


def test_coding_without_a_name() -> None:
    """An empty coding means none."""
    with reflecting(raw(b"".join(STATE), headers=("Content-Encoding: ",))) as running:
        running.wait_held("a", "b")


def test_empty_members() -> None:
    """A flush without data is an empty member; it ends nothing."""
    with reflecting(members(b"", *STATE, b"", b"", lines([added("c", 11)]), b"")) as running:
        running.wait_held("a", "b", "c")
        assert running.noted.reasons == []


def test_garbage_after_a_member() -> None:
    """Bytes that are no member are an error; what came before them counts, and the watch goes on from there."""
    data = b"".join(map(gzip.compress, [*STATE, lines([added("c", 11)])])) + b"garbage that is no gzip header"
    with reflecting(zipped(data), stream(added("d", 12))) as running:
        running.wait_held("a", "b", "c", "d")
        assert running.noted.reasons == ["protocol"]
        assert running.server.requests[1].params["resourceVersion"] == "11"


def test_stream_that_ends_inside_a_member() -> None:
    """A connection that ends inside the second member is broken; one that ends between two is not."""
    part = gzip.compress(lines([added("c", 11)]))
    whole_members = b"".join(map(gzip.compress, STATE))
    with reflecting(zipped(whole_members + part[:-4], stay=False), zipped(part, stay=False), stream(added("d", 12))) as running:
        running.wait_held("a", "b", "c", "d")
        assert "unreachable" in running.noted.reasons


def test_lists_and_errors_in_members() -> None:
    """Answers that are no streams may come in members too: the Status of an error, and a page of a list."""
    status = json.dumps({"kind": "Status", "code": 422, "reason": "Invalid", "message": "sendInitialEvents is forbidden"}).encode()
    listed = json.dumps(page("a")).encode()
    with reflecting(halves(status, 422), halves(listed)) as running:
        running.wait_held("a")
        assert running.noted.lists == ["watch", "list"]


def halves(data: bytes, status: int = 200) -> Step:
    """An answer in two members."""
    return zipped(gzip.compress(data[:15]) + gzip.compress(data[15:]), stay=False, status=status)


@pytest.mark.parametrize("noise", [b"\n", b" "])
def test_bytes_without_events(noise: bytes) -> None:
    """A watch that delivers bytes but no event and no bookmark for the read timeout is an error, and another one follows."""
    noisy = raw(noise * 1000, piece=1, pause=0.02)
    with reflecting(stream(*whole("a"), stay=False), noisy, stream(event("ADDED", pod("b", 11))), read=PATIENCE) as running:
        running.wait_held("a", "b")
        assert running.noted.reasons == ["stalled"]
