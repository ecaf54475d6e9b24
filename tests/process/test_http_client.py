"""Readings of errors and headers."""

from __future__ import annotations

import http.client
import time
from email.utils import formatdate

import urllib3

from telegen.process.http_client import cause, retry_after


def test_retry_after() -> None:
    """Retry-After has seconds or an HTTP date; nonsense counts as absent, and no delay is longer than the limit."""
    assert [retry_after(text, 3600) for text in ("5", "", None, "-3", "x", "999999999999")] == [5.0, None, None, None, None, 3600.0]
    assert 8 < (retry_after(formatdate(time.time() + 10, usegmt=True), 3600) or 0) <= 10
    assert retry_after(formatdate(time.time() - 10, usegmt=True), 3600) == 0.0
    assert retry_after("Fri, 31 Dec 999999 23:59:59 GMT", 3600) is None


def test_cause() -> None:
    """The message is that of the system, not of the library that wraps it, and has no address of an object; it is never empty."""
    pool = urllib3.PoolManager(retries=False)
    try:
        pool.request("GET", "http://127.0.0.1:1")
    except urllib3.exceptions.HTTPError as error:
        assert cause(error) == "[Errno 111] Connection refused"
    assert cause(ValueError("<a.B object at 0x7f00>: broken")) == "broken"
    assert cause(ValueError()) == "ValueError"
    broken = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))
    assert cause(broken) == "[Errno 104] reset"
    garbage = urllib3.exceptions.ProtocolError("Connection aborted.", http.client.BadStatusLine("\0\0\6"))
    assert cause(garbage) == r"the answer is not HTTP/1.1: '\x00\x00\x06'"
