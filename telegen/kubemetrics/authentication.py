"""Authentication of requests: passwords with bcrypt hashes, or tokens that the API server reviews."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Protocol

import bcrypt

from telegen.kubemetrics.credential_checks import Checks, Digest
from telegen.process.reviews import NoReview, Question, Review, ReviewQueue

ALLOWED = Review(200)
REMEMBERED_PASSWORD = {200: float("inf"), 401: 60.0}
"""Seconds by status. A changed hash is another key, so a good password is good for as long as its hash is in the file."""
REMEMBERED_TOKEN = {200: 60.0, 403: 30.0, 401: 10.0}
STALE_TOKEN = 600.0
"""Seconds for which a permission goes on to count while the API server cannot be asked."""
REVIEW_TIMEOUT = 10.0
_BCRYPT_BYTES = 72
"""bcrypt reads no more of a password."""


class Authentication(Protocol):
    """Decides about the Authorization header of a request."""

    challenge: str
    """Value of WWW-Authenticate."""

    def decide(self, header: str, client: str, path: str, verb: str) -> Review | Future[Review]:
        """Return the decision, at once or to come.

        Args:
            header: value of Authorization, "" if there is none.
            client: address of the client.
            verb: method in lower case.
        """


class Passwords:
    """Basic authentication (RFC 7617)."""

    challenge = 'Basic realm="telegen"'

    def __init__(self, users: Mapping[str, str]) -> None:
        """Prepare the users of a file.

        Args:
            users: bcrypt hash by name.
        """
        self._users = users
        # An unknown name takes as long as a known one.
        self._decoy = max(users.values(), key=lambda hashed: hashed.split("$")[2])
        self._digest = Digest()
        # PERF: a check takes 50 ms of CPU at cost 10 without the GIL; one at a time leaves the other cores to scrapes.
        self._checks = Checks(1, REMEMBERED_PASSWORD)

    def decide(self, header: str, client: str, path: str, verb: str) -> Review | Future[Review]:
        """See `Authentication.decide`."""
        pair = _basic(header)
        if pair is None:
            return Review(401, "needs a name and a password")
        name, password = pair
        hashed = self._users.get(name, "")
        key = self._digest(name, hashed, password)
        return self._checks.known(key) or self._checks.start(key, client, lambda: self._verify(hashed, password))

    def _verify(self, hashed: str, password: str) -> Review:
        data = password.encode("utf-8", "surrogateescape")[:_BCRYPT_BYTES]
        try:
            matches = bcrypt.checkpw(data, (hashed or self._decoy).encode())
        except ValueError:
            # A NUL in the password.
            matches = False
        return ALLOWED if matches and hashed else Review(401, "wrong name or password")


class Tokens:
    """Bearer tokens, reviewed by the API server."""

    challenge = 'Bearer realm="telegen"'

    def __init__(self, reviews: ReviewQueue | None) -> None:
        """Prepare.

        Args:
            reviews: for questions; None in a process that began before tokens were required, and is about to end.
        """
        self._reviews = reviews
        self._digest = Digest()
        self._checks = Checks(4, REMEMBERED_TOKEN, STALE_TOKEN)

    def decide(self, header: str, client: str, path: str, verb: str) -> Review | Future[Review]:
        """See `Authentication.decide`."""
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return Review(401, "needs a token in the header Authorization")
        key = self._digest(token, path, verb)
        return self._checks.known(key) or self._checks.start(key, client, lambda: self._review(Question(token, path, verb)))

    def _review(self, question: Question) -> Review:
        if self._reviews is None:
            return Review(503, "the configuration is being replaced; retry")
        try:
            return self._reviews.ask(question, REVIEW_TIMEOUT)
        except NoReview as error:
            return Review(503, f"the token was not reviewed: {error}")


def _basic(header: str) -> tuple[str, str] | None:
    """Return name and password of an Authorization header, None if it has none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8", "surrogateescape").partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None
