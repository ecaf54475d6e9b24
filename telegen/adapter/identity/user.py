"""A user, as the API server knows users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

AUTHENTICATED, UNAUTHENTICATED, MASTERS = "system:authenticated", "system:unauthenticated", "system:masters"
_ANONYMOUS = "system:anonymous"


class User(NamedTuple):
    """A user.

    Attributes:
        extra: pairs of key and values, sorted by key.
    """

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def is_known(self) -> bool:
        """False for the user of all requests that name none."""
        return self.name != _ANONYMOUS

    def spec(self) -> dict[str, Any]:
        """Return the fields of a SubjectAccessReview."""
        extra = {key: list(values) for key, values in self.extra}
        return {"user": self.name, "uid": self.uid, "groups": list(self.groups), "extra": extra}


ANONYMOUS = User(_ANONYMOUS, groups=(UNAUTHENTICATED,))


def authenticated(name: str, uid: str, groups: Iterable[str], extra: Mapping[str, Iterable[str]]) -> User:
    """Return a user with the group of all authenticated ones, unless it is the anonymous user."""
    unique = dict.fromkeys(groups)
    if name != _ANONYMOUS and UNAUTHENTICATED not in unique:
        unique[AUTHENTICATED] = None
    return User(name, uid, tuple(unique), tuple(sorted((key, tuple(values)) for key, values in extra.items())))
