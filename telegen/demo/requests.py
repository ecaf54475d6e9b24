"""The path, selectors and continue token of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from telegen.demo.errors import Refusal
from telegen.demo.state import Change, Stored
from telegen.demo.writes import has_labels

Wanted = Callable[[Stored], bool]


def locate(path: str, known: Iterable[str]) -> tuple[str, str, str]:
    """Return (resource, namespace, name) of a path.

    Raises:
        Refusal: there is no such resource.
    """
    parts = [part for part in path.split("/") if part]
    parts = parts[2:] if parts[:1] == ["api"] else parts[3:] if parts[:1] == ["apis"] else []
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    if not parts or parts[0] not in known or len(parts) > 2:
        raise Refusal(404, "NotFound", "the server could not find the requested resource")
    return parts[0], namespace, parts[1] if len(parts) > 1 else ""


def selector(namespace: str, fields: str, labels: str) -> Wanted:
    """Return the predicate of a request's namespace, field selector and label selector."""
    tests: list[tuple[str, bool, str]] = list(_terms(fields))

    def wanted(stored: Stored) -> bool:
        if namespace and stored.namespace != namespace:
            return False
        values = {"metadata.namespace": stored.namespace, "metadata.name": stored.name, "spec.nodeName": stored.node}
        if not all((values[field] == value) == equal for field, equal, value in tests):
            return False
        return not labels or has_labels(stored, labels)

    return wanted if tests or namespace or labels else lambda stored: True


def _terms(fields: str) -> Iterator[tuple[str, bool, str]]:
    """(field, is equal, value) of each term of a field selector."""
    for term in filter(None, fields.split(",")):
        field, sign, value = term.partition("!=") if "!=" in term else term.partition("=")
        if field not in ("metadata.namespace", "metadata.name", "spec.nodeName"):
            raise Refusal(400, "BadRequest", f"field label not supported: {field}")
        yield field, sign == "=", value.lstrip("=")


def continued(token: str) -> tuple[int, int]:
    """Return position and version of a continue token."""
    start, _, version = token.partition(".")
    if not (start.isdecimal() and version.isdecimal()):
        raise Refusal(400, "BadRequest", "continue key is not valid")
    return int(start), int(version)


def kind_of(change: Change, wanted: Wanted) -> str:
    """Return the type of a change's event in a watch with a selector, which objects enter and leave; "" when it gets none."""
    before, now = change.before is not None and wanted(change.before), wanted(change.stored)
    if change.kind == "DELETED" or not now:
        return "DELETED" if before else ""
    return "MODIFIED" if before else "ADDED"
