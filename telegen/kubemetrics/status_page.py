"""`/` and `/status.json`: the agent's status for browsers and programs."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import falcon
import falcon.asgi
import orjson

from telegen.kubemetrics.status import StatusReader
from telegen.kubemetrics.web_security import WebSecurity
from telegen.process.negotiation import prefers_html

PAGE = (Path(__file__).parent / "status.html").read_text(encoding="utf-8")
"""The page. It has no data: its script asks for /status.json."""


def _hash(element: str) -> str:
    """Return the source expression of the page's only element of this name (CSP Level 3)."""
    found = re.search(f"<{element}>(.*?)</{element}>", PAGE, re.DOTALL)
    assert found
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()}'"


SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {_hash('script')}",
        f"style-src {_hash('style')}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept",
}


class Index:
    """`/`: the status page for browsers; for others the list of paths, as older manifests use it as readiness probe."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._text = "".join(f"{path}\n" for path in paths)

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Send the page, or one path per line."""
        if prefers_html(req.get_header("Accept") or ""):
            resp.content_type, resp.text = falcon.MEDIA_HTML, PAGE
        else:
            resp.content_type, resp.text = falcon.MEDIA_TEXT, self._text
        for name, value in HEADERS.items():
            resp.set_header(name, value)

    on_head = on_get


class StatusJson:
    """`/status.json`."""

    def __init__(self, reader: StatusReader, security: WebSecurity | None) -> None:
        self._reader, self._security = reader, security

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Send the status. A client that comes this far is authenticated, if any authentication is configured."""
        authenticated = self._security is not None and self._security.authenticates
        resp.content_type = falcon.MEDIA_JSON
        resp.data = orjson.dumps(self._reader.read(authenticated))
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Content-Type-Options", "nosniff")

    on_head = on_get
