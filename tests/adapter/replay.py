"""A Prometheus at the wire that answers with recorded series and query results.

The order of matchers, and of names in `=~"a|b"`, does not matter; nor does it matter if dots in names are escaped.
"""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MATCHER = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
BRACES = re.compile(r'\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*)\}')
QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")')


def canonical(query: str, unescape: bool = False) -> str:
    """Return a query without spaces, its matchers and names in order."""

    def braces(match: re.Match[str]) -> str:
        if MATCHER.sub("", match[1]).strip(", "):
            return match[0]
        return "{" + ",".join(sorted({_matcher(found, unescape) for found in MATCHER.finditer(match[1])})) + "}"

    parts = QUOTED.split(BRACES.sub(braces, query))
    return "".join(part if place % 2 else re.sub(r"\s+", "", part) for place, part in enumerate(parts))


def _matcher(match: re.Match[str], unescape: bool) -> str:
    label, operator, value = match.groups()
    if operator in ("=~", "!~"):
        names = sorted(name.replace("\\\\", "") if unescape else name for name in value.split("|"))
        if unescape and len(names) == 1 and re.fullmatch(r"[\w./:-]*", names[0]):
            operator = {"=~": "=", "!~": "!="}[operator]
        value = "|".join(names)
    return f'{label}{operator}"{value}"'


class Recording:
    """The answers of a case.

    Attributes:
        asked: (kind, text, is known) of each request.
    """

    def __init__(self, case: dict[str, Any]) -> None:
        self.asked = list[tuple[str, str, bool]]()
        self._series = {canonical(one["match"]): one for one in case.get("series", ())}
        self._exact, self._loose = dict[str, Any](), dict[str, Any]()
        for request in case["requests"]:
            for one in request.get("promql", []) + request.get("promql_right", []):
                self._exact[canonical(one["query"])] = one
                self._loose.setdefault(canonical(one["query"], True), one)

    def answer(self, kind: str, text: str) -> tuple[int, dict[str, Any]]:
        """Return status and document for a series query or an instant query."""
        if kind == "series":
            one = self._series.get(canonical(text))
        else:
            one = self._exact.get(canonical(text)) or self._loose.get(canonical(text, True))
        self.asked.append((kind, text, one is not None))
        if one is not None and "error" in one:
            return one["http"], {"status": "error", "errorType": one["error"], "error": "refused when recorded"}
        data = (one["series"] if one else []) if kind == "series" else _result(one or {"vector": []})
        return 200, {"status": "success", "data": data}


def _result(one: dict[str, Any]) -> dict[str, Any]:
    now = round(time.time(), 3)
    kind = next(kind for kind in ("vector", "matrix", "scalar", "string") if kind in one)
    if kind == "vector":
        return {"resultType": kind, "result": [{"metric": labels, "value": [now, value]} for labels, value in one[kind]]}
    return {"resultType": kind, "result": [] if kind == "matrix" else [now, one[kind]]}


@contextmanager
def served_json(answer: Any) -> Iterator[str]:
    """Serve on loopback; yield the URL.

    Args:
        answer: function of path and parameters that returns status and document: bytes of text, or data for JSON.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            form = dict(urllib.parse.parse_qsl(f"{url.query}&{body}", keep_blank_values=True))
            status, document = answer(url.path, form)
            data = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4" if isinstance(document, bytes) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def replayed(recording: Recording) -> Iterator[str]:
    """Serve a recording; yield the URL."""

    def answer(path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        kind = path.rsplit("/", 1)[-1]
        return recording.answer(kind, form.get("match[]" if kind == "series" else "query", ""))

    with served_json(answer) as url:
        yield url
