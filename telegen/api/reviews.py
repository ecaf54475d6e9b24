"""TokenReview and SubjectAccessReview: the API server authenticates a token and authorizes a path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telegen.api.client import Client

TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


def authenticate(client: Client, token: str) -> Mapping[str, Any] | None:
    """Return the user of a token (status.user of a TokenReview), None if the token is not valid.

    Raises:
        ApiError, Unreachable, ProtocolError.
    """
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    status = _status(client.write("POST", TOKEN_REVIEWS, review))
    user = status.get("user")
    return user if status.get("authenticated") is True and isinstance(user, dict) else None


def is_authorized(client: Client, user: Mapping[str, Any], path: str, verb: str) -> bool:
    """Return True if a user may use a path that belongs to no resource.

    Raises:
        ApiError, Unreachable, ProtocolError.
    """
    spec = {
        "user": user.get("username", ""),
        "uid": user.get("uid", ""),
        "groups": user.get("groups") or [],
        "extra": user.get("extra") or {},
        "nonResourceAttributes": {"path": path, "verb": verb},
    }
    return is_allowed(client, spec)


def is_allowed(client: Client, spec: Mapping[str, Any]) -> bool:
    """Return True if the API server allows what the spec of a SubjectAccessReview describes.

    Raises:
        ApiError, Unreachable, ProtocolError.
    """
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    status = _status(client.write("POST", ACCESS_REVIEWS, review))
    return status.get("allowed") is True and status.get("denied") is not True


def _status(answer: Any) -> Mapping[str, Any]:
    status = answer.get("status") if isinstance(answer, dict) else None
    return status if isinstance(status, dict) else {}
