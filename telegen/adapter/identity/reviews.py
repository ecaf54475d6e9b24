"""Questions to the API server about tokens and rights, and its answers for a while.

The API server away: answers that are known count for the rest of their time, all other requests are refused.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from telegen.adapter.apis.answers import failed
from telegen.adapter.identity.attributes import Attributes
from telegen.adapter.identity.expiring_cache import ExpiringCache
from telegen.adapter.identity.user import MASTERS, User, authenticated
from telegen.api.client import Client
from telegen.api.errors import ApiError, Forbidden, ProtocolError, Unreachable
from telegen.api.reviews import authenticate, is_allowed
from telegen.api.thread_clients import ThreadClients

log = logging.getLogger("telegen.adapter")
TOKEN_TIME = NARROW_TIME = 10.0
"""Seconds for which the answer about a token, and about one request, counts."""
WIDE_TIME = 60.0
"""Seconds for which the answer about all objects of a group or resource counts."""
MOST = 4096
"""Answers of each kind that are kept."""
TOKEN, ACCESS = "TokenReview", "SubjectAccessReview"
Answer = TypeVar("Answer")
CURE = "bind the adapter's account to the ClusterRole system:auth-delegator"


class Reviewed(NamedTuple):
    """The user of a token; None for a token that is not valid."""

    user: User | None


class Reviews:
    """Asks the API server; threads share it."""

    def __init__(self, make_client: Callable[[], Client], count: Callable[[str, str], None] = lambda kind, result: None) -> None:
        """Prepare.

        Args:
            make_client: makes a client for one thread, with short time-outs.
            count: called with the kind of each question and its result: `allowed`, `denied` or `error`.
        """
        self._clients, self._count = ThreadClients(make_client), count
        self._tokens = ExpiringCache[Reviewed](MOST)
        self._access = ExpiringCache[bool](MOST)

    def user_of(self, token: str) -> User | None:
        """Return the user of a token, None if it is not valid.

        Raises:
            StatusError: the API server cannot be asked.
        """
        # The token itself is not kept in memory.
        key = hashlib.sha256(token.encode()).digest()
        return self._tokens.get(key, TOKEN_TIME, lambda: Reviewed(self._review(token))).user

    def check(self, user: User, wanted: Attributes) -> None:
        """Check the right of a direct client to the request itself.

        An authorizer may deny single namespaces of what it allows as a whole, so a right to the whole group proves nothing.

        Raises:
            StatusError: the user does not have it, or the API server cannot be asked.
        """
        self._check(user, wanted, [(wanted, NARROW_TIME)])

    def check_again(self, user: User, wanted: Attributes) -> None:
        """Check the right of a user whose request comes through the API server, which has authorized the request itself.

        First for the whole group, then for all objects of the resource, then for the request: an HPA's account may read whole groups, so
        that its requests cost one question a minute and group.

        Raises:
            StatusError: the user does not have it, or the API server cannot be asked.
        """
        wide = [(wanted.of_group(), WIDE_TIME), (wanted.of_resource(), WIDE_TIME)] if wanted.resource else []
        self._check(user, wanted, [*wide, (wanted, NARROW_TIME)])

    def _check(self, user: User, wanted: Attributes, questions: Sequence[tuple[Attributes, float]]) -> None:
        """Return if the answer to one of the questions is yes; each has the seconds for which its answer counts."""
        if MASTERS in user.groups or any(self._access.known((user, question)) for question, _ in questions):
            return
        if not any(self._may(user, question, lifetime) for question, lifetime in questions):
            raise wanted.forbidden(user)

    def _may(self, user: User, question: Attributes, lifetime: float) -> bool:
        spec = {**user.spec(), **question.spec()}
        return self._access.get((user, question), lifetime, lambda: self._asked(ACCESS, lambda: is_allowed(self._clients.current, spec)))

    def _review(self, token: str) -> User | None:
        found = self._asked(TOKEN, lambda: authenticate(self._clients.current, token))
        return _user(found) if found else None

    def _asked(self, kind: str, ask: Callable[[], Answer]) -> Answer:
        """Return an answer of the API server.

        Raises:
            StatusError: 503.
        """
        try:
            answer = ask()
        except (ApiError, Unreachable, ProtocolError) as error:
            self._count(kind, "error")
            cure = f"; {CURE}" if isinstance(error, Forbidden) else ""
            log.warning("%s: no answer: %s%s", kind, error, cure)
            raise failed(f"the API server gives no answer to a {kind}; the log of the adapter has the cause", True) from error
        self._count(kind, "allowed" if answer else "denied")
        return answer


def _user(found: Mapping[str, Any]) -> User | None:
    """Return the user of a TokenReview, None if it has no name."""
    name, extra = str(found.get("username") or ""), found.get("extra") or {}
    if not name:
        return None
    groups, values = map(str, found.get("groups") or ()), {str(key): map(str, extra[key]) for key in extra}
    return authenticated(name, str(found.get("uid") or ""), groups, values)
