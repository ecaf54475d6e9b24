"""Worker that asks the API server about the tokens of clients, for web processes, which have no credentials of the agent."""

from __future__ import annotations

import logging
import socket

from telegen.api.client import Client
from telegen.api.errors import ApiError, Forbidden, ProtocolError, Unreachable
from telegen.api.reviews import authenticate, is_authorized
from telegen.process.reviews import Question, Review, answer
from workers._base import BEAT, Worker
from workers._client_factory import make_client
from workers._threads import Threads

THREADS = 4
"""Reviews at a time. Each is two requests of some milliseconds."""


class ReviewWorker(Worker):
    """Answers the questions of web processes."""

    def run(self) -> None:
        """Beat while threads wait for questions."""
        threads = Threads(self)
        for number in range(THREADS):
            threads.start(f"review-{number}", self._answer)
        while not self.stop.wait(BEAT):
            self.beat()
            threads.check()

    def _answer(self) -> None:
        client, questions = make_client(self.shared), self.shared.reviews
        assert questions
        while not self.stop.is_set():
            taken = questions.take(BEAT)
            if taken:
                _reply(client, *taken, log=self.log)
        client.close()


def _reply(client: Client, question: Question, reply: socket.socket, log: logging.Logger) -> None:
    answer(reply, review(client, question, log))


def review(client: Client, question: Question, log: logging.Logger) -> Review:
    """Ask the API server; an error of the agent's own request is logged and is no answer about the client."""
    try:
        user = authenticate(client, question.token)
        if user is None:
            return Review(401, "the token is not valid")
        if is_authorized(client, user, question.path, question.verb):
            return Review(200)
        return Review(403, f"{user.get('username', '')} may not {question.verb} {question.path}")
    except Forbidden as error:
        log.warning("%s; apply k8s/components/auth, which lets the agent create tokenreviews and subjectaccessreviews", error)
    except (ApiError, Unreachable, ProtocolError) as error:
        log.warning("a token cannot be reviewed: %s", error)
    return Review(503, "the API server cannot be asked now; the agent's log has the cause")
