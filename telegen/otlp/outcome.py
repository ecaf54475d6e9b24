"""Outcomes of a request to the receiver, as the OTLP specification reads its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Union

from telegen.otlp.wire import fields, nested

MAX_DELAY = 3600.0
"""Longest delay, in seconds, that a receiver may ask for."""
RETRY_INFO = b"google.rpc.RetryInfo"
MAX_MESSAGE = 300
"""Characters of a receiver's message that are logged."""


@dataclass(frozen=True)
class Accepted:
    """The receiver has the data.

    Attributes:
        rejected: points or records that it has refused.
        message: why, or a warning.
        reason: value of the label `outcome`.
    """

    rejected: int = 0
    message: str = ""
    reason: ClassVar[str] = "accepted"


@dataclass(frozen=True)
class Retry:
    """The request may succeed later.

    Attributes:
        reason: value of the label `outcome`.
        delay: seconds that the receiver asks for, None if it does not.
    """

    reason: str
    message: str
    delay: float | None = None


@dataclass(frozen=True)
class Refused:
    """The request will never succeed: its data are lost.

    Attributes:
        reason: value of the label `outcome`.
    """

    reason: str
    message: str


Outcome = Union[Accepted, Retry, Refused]


def refused_of(count: int, outcome: Accepted | Refused) -> int:
    """Return the number of points or records of a request, which has `count`, that the receiver did not take."""
    return max(0, min(count, outcome.rejected)) if isinstance(outcome, Accepted) else count


def accepted(body: bytes) -> Accepted | None:
    """Read the body of a success, an Export...ServiceResponse, empty from some receivers; None if it is no such message."""
    # An empty partial_success, which collectors send, means that all was accepted.
    if body in (b"", b"\x0a\x00"):
        return Accepted()
    # PERF: imported for an answer that says more: protobuf takes 3 MB.
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

    try:
        # The answer for logs has the same form.
        partial = ExportMetricsServiceResponse.FromString(body).partial_success
    except DecodeError:
        return None
    return Accepted(partial.rejected_data_points, readable(partial.error_message.encode()))


def status_message(body: bytes) -> str:
    """Return the message of an error's body: a google.rpc.Status, or text."""
    try:
        found = list(nested(body, 2))
    except ValueError:
        found = []
    return readable(found[0] if found else body)


def readable(text: bytes) -> str:
    """Return text for a log line."""
    return " ".join(text.decode("utf-8", "replace").split())[:MAX_MESSAGE]


def retry_delay(status: bytes) -> float | None:
    """Return the seconds of the RetryInfo among the details of a google.rpc.Status; None if it has none."""
    try:
        for detail in nested(status, 3):
            if any(url.endswith(RETRY_INFO) for url in nested(detail, 1)):
                duration = dict(fields(b"".join(delay for info in nested(detail, 2) for delay in nested(info, 1))))
                seconds = int(duration.get(1, 0)) + int(duration.get(2, 0)) / 1e9
                # A negative number is a large one without a sign.
                return min(seconds, MAX_DELAY) if seconds < 1 << 62 else 0.0
    except ValueError:
        return None
    return None
