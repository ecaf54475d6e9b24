"""The check of a request before it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from telegen.adapter.identity.attributes import attributes_of
from telegen.adapter.identity.authentication import Authenticator, Headers
from telegen.adapter.identity.peer import Peer
from telegen.adapter.identity.reviews import Reviews


class Guard(Protocol):
    """Decides about requests."""

    def is_front_proxy(self, peer: Peer | None) -> bool:
        """Return True for a connection of the API server, whose requests must not wait for those of others."""

    def check(self, method: str, segments: Sequence[str], params: Mapping[str, str], headers: Headers, peer: Peer | None) -> None:
        """Check a request. It may ask the API server.

        Args:
            segments: of the path, each decoded by itself.

        Raises:
            StatusError: the request may not be answered.
        """


class ClusterGuard:
    """Users and rights are those of the cluster."""

    def __init__(self, authenticator: Authenticator, reviews: Reviews) -> None:
        self._authenticator, self._reviews = authenticator, reviews
        self.is_front_proxy = authenticator.is_front_proxy

    def check(self, method: str, segments: Sequence[str], params: Mapping[str, str], headers: Headers, peer: Peer | None) -> None:
        """See `Guard.check`."""
        wanted = attributes_of(method, segments, params)
        proxied = self._authenticator.proxied_user(headers, peer)
        if proxied:
            self._reviews.check_again(proxied, wanted)
        else:
            self._reviews.check(self._authenticator.direct_user(headers, peer), wanted)
