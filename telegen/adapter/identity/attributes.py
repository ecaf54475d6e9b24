"""A request in the terms of the API server's authorization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from telegen.adapter.apis.answers import StatusError, wants_watch
from telegen.adapter.identity.user import User
from telegen.adapter.label_selectors import SelectorError, parse_fields

ALL = "*"
_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_NAMESPACES = ("status", "finalize")
"""Subresources of namespaces. All other segments after a namespace are resources in it."""


class Attributes(NamedTuple):
    """A request.

    Attributes:
        verb: `get` or `list`, or the method in lower case for a path that belongs to no resource.
        path: decoded; "" for that of a resource. Attributes are keys of a cache, and paths may be long.
        resource: "" for a path that belongs to no resource.
        namespace, name: "" for all.
    """

    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    def spec(self) -> dict[str, Any]:
        """Return the fields of a SubjectAccessReview."""
        if not self.resource:
            return {"nonResourceAttributes": {"path": self.path, "verb": self.verb}}
        return {"resourceAttributes": {key: value for key, value in self._asdict().items() if value}}

    def of_resource(self) -> Attributes:
        """Return the request for all objects of the resource in all namespaces."""
        return self._replace(namespace="", name="")

    def of_group(self) -> Attributes:
        """Return the request for all resources of the group in all namespaces."""
        return Attributes(self.verb, "", self.group, ALL, ALL)

    def forbidden(self, user: User) -> StatusError:
        """Return the error for a user without the right."""
        if not self.resource:
            return StatusError(403, "Forbidden", f'forbidden: User "{user.name}" cannot {self.verb} path "{self.path}"', {})
        kind, name = f"{self.resource}.{self.group}", f' "{self.name}"' if self.name else ""
        asked = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        scope = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        message = f'{kind}{name} is forbidden: User "{user.name}" cannot {self.verb} resource "{asked}" in API group "{self.group}" {scope}'
        details = {**({"name": self.name} if self.name else {}), "group": self.group, "kind": self.resource}
        return StatusError(403, "Forbidden", message, details)


def attributes_of(method: str, segments: Sequence[str], params: Mapping[str, str]) -> Attributes:
    """Return the attributes of a request.

    Args:
        segments: of the path, decoded each by itself: the same that choose the answer.
    """
    path = f"/{'/'.join(segments)}"
    if len(segments) < 4 or segments[0] != "apis" or not all(segments):
        return Attributes(method.lower(), path)
    _, group, version, *rest = segments
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_NAMESPACES:
            rest = rest[2:]
    resource, name, subresource, *_ = (*rest, "", "")
    verb = _VERBS.get(method, method.lower())
    if verb == "get" and not name:
        verb, name = "watch" if wants_watch(params) else "list", _selected_name(params)
    return Attributes(verb, "", group, version, resource, subresource, namespace, name)


def _selected_name(params: Mapping[str, str]) -> str:
    """Return the only name that a list selects by its field selector, "" for none: a right to this object is enough, as the API has it."""
    try:
        terms = parse_fields(params.get("fieldSelector", ""))
    except SelectorError:
        # The request is refused later, for a user with the right to the list.
        return ""
    return next((term.value for term in terms if term.field == "metadata.name" and term.is_equal and "/" not in term.value), "")
