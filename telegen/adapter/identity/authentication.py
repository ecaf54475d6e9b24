"""Authentication of requests: the front proxy's headers, then the client certificate, then the bearer token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import unquote

from telegen.adapter.apis.answers import StatusError
from telegen.adapter.identity.peer import Peer
from telegen.adapter.identity.trust import Trust
from telegen.adapter.identity.user import ANONYMOUS, User, authenticated

Headers = Sequence[tuple[bytes, bytes]]
"""Pairs of name, in lower case, and value, as they arrived: one pair for each line."""
ReviewToken = Callable[[str], "User | None"]
"""Function of a token that returns its user, None if it is not valid. Raises StatusError."""


class Authenticator:
    """Finds the user of a request. Headers of the front proxy count only on a connection of the front proxy."""

    def __init__(self, trust: Callable[[], Trust], review: ReviewToken) -> None:
        self._trust, self._review = trust, review

    def is_front_proxy(self, peer: Peer | None) -> bool:
        """Return True for a connection whose headers name users."""
        trust = self._trust()
        return peer is not None and peer.is_valid() and trust.proxies.signed(peer) and _is_allowed(trust, peer)

    def proxied_user(self, headers: Headers, peer: Peer | None) -> User | None:
        """Return the user that the front proxy names; None on other connections, or if it names none."""
        return _proxied(headers, self._trust()) if self.is_front_proxy(peer) else None

    def direct_user(self, headers: Headers, peer: Peer | None) -> User:
        """Return the user of the client itself; the anonymous one for a request without credentials.

        Raises:
            StatusError: 401 if credentials are not valid; others of the review of the token.
        """
        is_client = peer is not None and peer.is_valid() and self._trust().clients.signed(peer)
        if peer is not None and is_client and peer.name:
            return authenticated(peer.name, "", peer.organizations, {})
        token = bearer_token(headers)
        if token and (reviewed := self._review(token)):
            return reviewed
        if token or (peer is not None and not is_client):
            raise unauthorized()
        return ANONYMOUS


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def bearer_token(headers: Headers) -> str:
    """Return the token of the first Authorization header; "" without one."""
    value = next(_values(headers, "authorization"), "").strip(" ")
    scheme, _, token = value.partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


def _is_allowed(trust: Trust, peer: Peer) -> bool:
    return not trust.allowed or peer.name in trust.allowed


def _proxied(headers: Headers, trust: Trust) -> User | None:
    """Return the user that the front proxy names, None if it names none."""
    name = _first(headers, trust.user_headers)
    if not name:
        return None
    # A group for each line: the name of a group may contain a comma.
    groups = [value for header in trust.group_headers for value in _values(headers, header) if value]
    extra = dict[str, list[str]]()
    for raw, value in headers:
        header = raw.decode("latin-1").lower()
        prefix = next((prefix for prefix in trust.extra_prefixes if header.startswith(prefix)), "")
        if prefix:
            extra.setdefault(unquote(header[len(prefix) :]), []).append(_decoded(value))
    return authenticated(name, _first(headers, trust.uid_headers), groups, extra)


def _first(headers: Headers, names: Iterable[str]) -> str:
    """Return the first value that is not empty, of the first line of each header."""
    return next(filter(None, (next(_values(headers, name), "") for name in names)), "")


def _values(headers: Headers, name: str) -> Iterator[str]:
    """Yield the values of the lines of a header."""
    wanted = name.encode("latin-1", "replace")
    return (_decoded(value) for header, value in headers if header.lower() == wanted)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise unauthorized() from error
