"""Writes to the simulated API server, for Leases: create, and update if the resourceVersion is still current."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from telegen.demo.errors import Refusal
from telegen.demo.state import State

WRITABLE = ("leases",)
"""Resources that clients may write."""


def write(state: State, path: tuple[str, str, str], body: bytes) -> bytes:
    """Create or update an object; return the JSON that is stored.

    Args:
        path: resource, namespace and name; an empty name creates the object.

    Raises:
        Refusal: 409 if the object exists or has changed meanwhile, 404 if it does not exist, 405 if the resource is read-only,
            400 if the body is malformed.
    """
    resource, namespace, name = path
    if resource not in WRITABLE:
        raise Refusal(405, "MethodNotAllowed", f"{resource} is read-only")
    try:
        obj: dict[str, Any] = orjson.loads(body)
        metadata = obj["metadata"]
        name, creates = name or metadata["name"], not name
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Refusal(400, "BadRequest", f"not an object: {error}") from None
    with state.changed:
        known = state.collections[resource].objects.get((namespace, name))
        if creates and known:
            raise Refusal(409, "AlreadyExists", f'{resource} "{name}" already exists')
        if not creates and known is None:
            raise Refusal(404, "NotFound", f'{resource} "{name}" not found')
        if known and metadata.get("resourceVersion", str(known.version)) != str(known.version):
            raise Refusal(409, "Conflict", f'Operation cannot be fulfilled on {resource} "{name}": it has been modified')
        metadata["uid"] = known.load()["metadata"]["uid"] if known else str(uuid.uuid4())
        metadata["namespace"] = namespace
        return state.put(resource, obj).data
