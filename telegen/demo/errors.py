"""Errors of the simulated API server."""

from __future__ import annotations

import orjson


class Refusal(Exception):
    """A failure that is sent as a Status.

    Attributes:
        code: the HTTP status.
        body: the Status as JSON.
    """

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
