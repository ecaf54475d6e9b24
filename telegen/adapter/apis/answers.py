"""Answers of the metrics APIs, and errors as Status objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """Status, headers and the document of an answer; None for no body."""

    status: int
    document: Any
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class StatusError(Exception):
    """An error that the client gets as a Status object.

    Attributes:
        details: `details` of the Status; None to leave it out.
    """

    def __init__(self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    def answer(self) -> Answer:
        """Return the Status object."""
        details = {} if self.details is None else {"details": dict(self.details)}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        return Answer(self.code, {**status, "message": self.message, "reason": self.reason, **details, "code": self.code})


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def wants_watch(params: Mapping[str, str]) -> bool:
    """Return True for a list that is asked for as a watch. The API server reads the parameter so: all but false and 0 means yes."""
    return params.get("watch", "0").lower() not in ("0", "false")


def watch_refused(resource: str, group: str) -> StatusError:
    message = f'watch is not supported on resources of kind "{resource}.{group}"'
    return StatusError(405, "MethodNotAllowed", message, {"group": group, "kind": resource})


def unknown_path() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def object_not_found(kind: str, name: str, group: str = "") -> StatusError:
    """Return the error for an object without metrics, or without itself."""
    where = f"{kind}.{group}" if group else kind
    details = {"name": name, **({"group": group} if group else {}), "kind": kind}
    return StatusError(404, "NotFound", f'{where} "{name}" not found', details)


def metric_not_found(metric: str, resource: object, name: str = "") -> StatusError:
    """Return the error for a metric that does not exist, or has no sample for an object."""
    where = f"{resource} {name}" if name else str(resource)
    return StatusError(404, "NotFound", f"the server could not find the metric {metric} for {where}")


def failed(message: str, is_unavailable: bool = False) -> StatusError:
    """Return the error for a request that fails on the way.

    Args:
        is_unavailable: True if a later request may succeed: 503 instead of 500.
    """
    if is_unavailable:
        return StatusError(503, "ServiceUnavailable", message)
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def timestamp(seconds: float) -> str:
    """Return a time in RFC 3339, in whole seconds."""
    return _rfc3339(int(seconds))


@lru_cache(256)
def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
