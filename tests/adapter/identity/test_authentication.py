"""Users by headers, certificates and tokens, with the authorities of one moment."""

from __future__ import annotations

import time

import pytest

from telegen.adapter.apis.answers import StatusError
from telegen.adapter.identity.authentication import Authenticator
from telegen.adapter.identity.peer import Peer
from telegen.adapter.identity.trust import Authorities, Trust
from telegen.adapter.identity.user import ANONYMOUS, User

CLIENTS, PROXIES = Authorities("", frozenset((b"c",))), Authorities("", frozenset((b"p",)))
TRUST = Trust(CLIENTS, PROXIES, frozenset(("proxy",)), ("x-user", "x-remote-user"), (), ("x-group", "x-remote-group"), ("x-extra-",))
ALICE = [(b"x-remote-user", b"alice")]


def peer(*authorities: bytes, name: str = "proxy", valid: float = 86400.0) -> Peer:
    return Peer((b"leaf", *authorities), name, ("a", "b"), time.time() + valid)


def authenticator(trust: Trust) -> Authenticator:
    return Authenticator(lambda: trust, lambda token: User("token") if token == "good" else None)


def user_of(trust: Trust, headers: list[tuple[bytes, bytes]], client: Peer | None) -> User:
    """Return the user. Raises StatusError."""
    asked = authenticator(trust)
    return asked.proxied_user(headers, client) or asked.direct_user(headers, client)


def name_of(trust: Trust, headers: list[tuple[bytes, bytes]], client: Peer | None) -> str:
    """Return the name of the user, or the code of the error."""
    try:
        return user_of(trust, headers, client).name
    except StatusError as error:
        return str(error.code)


@pytest.mark.parametrize(
    ("allowed", "client", "user"),
    [
        (("proxy",), peer(b"p"), "alice"),
        ((), peer(b"p", name="any"), "alice"),
        (("proxy",), peer(b"p", name="any"), "401"),
        (("proxy",), peer(b"c"), "proxy"),
        (("proxy",), peer(b"c", name=""), "system:anonymous"),
        (("proxy",), peer(b"middle", b"p"), "alice"),
        (("proxy",), peer(b"c", b"p"), "alice"),
        (("proxy",), peer(b"other"), "401"),
        (("proxy",), peer(), "401"),
        (("proxy",), peer(b"p", valid=-1), "401"),
        (("proxy",), None, "system:anonymous"),
    ],
)
def test_headers_count_on_connections_of_the_front_proxy(allowed: tuple[str, ...], client: Peer | None, user: str) -> None:
    """The verified chain decides, with the allowed names and the validity; an empty list of names allows any."""
    trust = Trust(CLIENTS, PROXIES, frozenset(allowed), ("x-remote-user",), (), ("x-remote-group",))
    assert name_of(trust, ALICE, client) == user


def test_nothing_is_trusted_before_the_authorities_are_known() -> None:
    """Without the ConfigMap only tokens count."""
    assert name_of(Trust(), ALICE, None) == "system:anonymous"
    assert name_of(Trust(), [(b"authorization", b"Bearer good")], None) == "token"
    assert name_of(Trust(), ALICE, peer(b"p")) == "401"


def test_order_of_headers() -> None:
    """The first configured header with a value names the user; groups of all headers count; a prefix gives the key of an extra."""
    headers = [(b"x-remote-user", b"second"), (b"x-user", b""), (b"X-Group", b"g1"), (b"x-remote-group", b"g2"), (b"x-group", b"g1")]
    headers += [(b"x-extra-a%2Fb", b"1"), (b"x-extra-a%2Fb", b"2")]
    user = user_of(TRUST, headers, peer(b"p"))
    assert (user.name, user.groups) == ("second", ("g1", "g2", "system:authenticated"))
    assert user.extra == (("a/b", ("1", "2")),)


@pytest.mark.parametrize(
    ("value", "user"),
    [
        (b"Bearer good", "token"),
        (b"bearer  good ", "token"),
        (b"Bearer bad", "401"),
        (b"Bearer ", "system:anonymous"),
        (b"Bearer", "system:anonymous"),
        (b"Bearer good,bad", "401"),
        (b"Bearer \xff", "401"),
        (b"Negotiate good", "system:anonymous"),
    ],
)
def test_tokens(value: bytes, user: str) -> None:
    """A bearer token is valid or refused; another scheme is no credential."""
    assert name_of(TRUST, [(b"authorization", value)], None) == user


def test_anonymous_user_of_the_front_proxy() -> None:
    """The anonymous user does not become an authenticated one on its way through the API server."""
    headers = [(b"x-remote-user", b"system:anonymous"), (b"x-remote-group", b"system:unauthenticated")]
    assert user_of(TRUST, headers, peer(b"p")) == ANONYMOUS
