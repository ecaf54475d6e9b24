"""Errors of requests to the API server. Exceptions of libraries stop in `client` and `stream`; only these go further."""

from __future__ import annotations


class ApiError(Exception):
    """The server answered with an error.

    Attributes:
        status: HTTP status, or the code of an ERROR event.
        reason: the API's word for it, `Forbidden`, or "".
        retry_after: seconds that the server asks to wait, or None.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}" if reason else f"{status}: {message}")
        self.status, self.reason, self.message, self.retry_after = status, reason, message, retry_after


class Unauthorized(ApiError):
    """401: the credentials are not, or no longer, good."""


class Forbidden(ApiError):
    """403: the account lacks the right."""


class NotFound(ApiError):
    """404: the server does not have the resource."""


class Conflict(ApiError):
    """409: the object has changed since it was read, or exists already."""


class Gone(ApiError):
    """410: the resourceVersion or the continue token is too old."""


class TooManyRequests(ApiError):
    """429: asked to come back later."""


class Unreachable(Exception):
    """No connection could be made, or it broke."""


class Dropped(Unreachable):
    """The connection broke when the request had been sent, before the headers of an answer."""


class Silent(Unreachable):
    """No data arrived for the read timeout."""


class Stalled(Unreachable):
    """Bytes arrive on a watch, but no event and no bookmark for the read timeout."""


class ProtocolError(Exception):
    """An answer that violates the protocol."""


class TooLarge(ProtocolError):
    """An answer has more bytes than were allowed."""


_BY_STATUS = {401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict, 410: Gone, 429: TooManyRequests}


def api_error(status: int, reason: str, message: str, retry_after: float | None = None) -> ApiError:
    """The error class of a status."""
    return _BY_STATUS.get(status, ApiError)(status, reason, message, retry_after)


def label(error: Exception) -> str:
    """Short name of an error, for a metric's label: `410`, `unreachable`, `silent`, `stalled`, `protocol`."""
    if isinstance(error, ApiError):
        return str(error.status)
    if isinstance(error, (Silent, Stalled)):
        return type(error).__name__.lower()
    return "unreachable" if isinstance(error, Unreachable) else "protocol"


def content_coding(header: str | None) -> str:
    """The coding of a body, `gzip` or `identity`, in any case.

    Raises:
        ProtocolError: a coding that was not requested.
    """
    coding = (header or "").strip().lower() or "identity"
    if coding not in ("identity", "gzip", "x-gzip"):
        raise ProtocolError(f"content coding {coding} was not requested")
    return coding.removeprefix("x-")
