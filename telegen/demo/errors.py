"""Errors of the simulated API server."""

from __future__ import annotations

import orjson


class Refusal(Exception):
    """A failure that is sent as a Status.

    Attributes:
        code: the HTTP status.
        body: the Status as JSON.
    """

    content_type = "application/json"

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.body = orjson.dumps(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": message,
                "reason": reason,
                "code": code,
            }
        )


class NotServed(Refusal):
    """The answer to the path of an API group that a server does not have: text, no Status."""

    content_type = "text/plain; charset=utf-8"

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "404 page not found")
        self.body = b"404 page not found\n"
