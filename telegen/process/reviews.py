"""Questions from web processes to the process that may ask the API server: the agent's own token never enters a web process.

A question is a datagram with one end of a fresh pair of sockets, on which the answer comes.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

import msgspec

MAX_BYTES = 96 << 10
"""Bytes of a question: a token has at most those of the headers of a request."""
ANSWER_TIMEOUT = 1.0
"""Seconds for a web process to take an answer; its socket has room for it unless something else fills it."""


class Question(msgspec.Struct, frozen=True):
    """May the holder of this token use this path?

    Attributes:
        token: bearer token of the request.
        path: URL path.
        verb: method in lower case.
    """

    token: str
    path: str
    verb: str


class Review(msgspec.Struct, frozen=True):
    """Answer to a question.

    Attributes:
        status: 200 allowed, 401 unknown token, 403 not allowed, 503 not known.
        reason: for the client, one line without secrets; "" if allowed.
    """

    status: int
    reason: str = ""


class NoReview(Exception):
    """There is no answer."""


class ReviewQueue:
    """Sockets that are inherited over fork: the process that answers has one, all others the other."""

    def __init__(self) -> None:
        self._asking, self._answering = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def keep_asking(self) -> None:
        """Close the end of the process that answers: a web process must not see the questions of others."""
        self._answering.close()

    def close(self) -> None:
        """Close both ends."""
        self._asking.close()
        self._answering.close()

    def ask(self, question: Question, timeout: float) -> Review:
        """Wait for the answer to a question.

        Raises:
            NoReview: there is none within `timeout` seconds.
        """
        here, there = socket.socketpair()
        with here:
            here.settimeout(timeout)
            try:
                with there:
                    socket.send_fds(self._asking, [msgspec.msgpack.encode(question)], [there.fileno()], socket.MSG_DONTWAIT)
                answer = here.recv(1 << 16)
            except OSError as error:
                raise NoReview(f"no answer within {timeout:.0f} s" if isinstance(error, TimeoutError) else str(error)) from error
        if not answer:
            raise NoReview("the process that reviews tokens has ended")
        return msgspec.msgpack.decode(answer, type=Review)

    def take(self, timeout: float) -> tuple[Question, socket.socket] | None:
        """Return the next question and the socket for its answer, None if there is none within `timeout` seconds.

        Web processes talk to strangers: what is no question is dropped, and ends no process that has credentials.
        """
        self._answering.settimeout(timeout)
        try:
            data, descriptors, _, _ = socket.recv_fds(self._answering, MAX_BYTES, 1)
        except TimeoutError:
            return None
        try:
            return msgspec.msgpack.decode(data, type=Question), socket.socket(fileno=descriptors[0])
        except (msgspec.MsgspecError, IndexError, OSError):
            for descriptor in descriptors:
                os.close(descriptor)
            return None


def answer(reply: socket.socket, review: Review) -> None:
    """Send an answer; the web process may have stopped waiting for it."""
    with reply, suppress(OSError):
        reply.settimeout(ANSWER_TIMEOUT)
        reply.sendall(msgspec.msgpack.encode(review))
