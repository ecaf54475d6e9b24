"""Paths, selectors and continue tokens of requests to the simulated API server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from telegen.demo.errors import Refusal
from telegen.demo.state import Change, Stored

Selector = Callable[[Stored], bool]
"""Predicate: True if an object belongs to a list or watch."""


def locate(path: str, known: Iterable[str]) -> tuple[str, str, str]:
    """Parse a path to (resource, namespace, name).

    Raises:
        Refusal: 404 if the resource is not among `known`.
    """
    parts = [part for part in path.split("/") if part]
    parts = parts[2:] if parts[:1] == ["api"] else parts[3:] if parts[:1] == ["apis"] else []
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    if not parts or parts[0] not in known or len(parts) > 2:
        raise Refusal(404, "NotFound", "the server could not find the requested resource")
    return parts[0], namespace, parts[1] if len(parts) > 1 else ""


def make_selector(namespace: str, fields: str, labels: str) -> Selector:
    """Return the selector of a request by namespace, field selector and label selector."""
    tests: list[tuple[str, bool, str]] = list(_terms(fields))

    def selects(stored: Stored) -> bool:
        if namespace and stored.namespace != namespace:
            return False
        values = {"metadata.namespace": stored.namespace, "metadata.name": stored.name, "spec.nodeName": stored.node}
        if not all((values[field] == value) == equal for field, equal, value in tests):
            return False
        return not labels or _has_labels(stored, labels)

    return selects if tests or namespace or labels else lambda stored: True


def _terms(fields: str) -> Iterator[tuple[str, bool, str]]:
    """Yield (field, is equal, value) of each term of a field selector.

    Raises:
        Refusal: 400 for an unsupported field.
    """
    for term in filter(None, fields.split(",")):
        field, sign, value = term.partition("!=") if "!=" in term else term.partition("=")
        if field not in ("metadata.namespace", "metadata.name", "spec.nodeName"):
            raise Refusal(400, "BadRequest", f"field label not supported: {field}")
        yield field, sign == "=", value.lstrip("=")


def _has_labels(stored: Stored, selector: str) -> bool:
    """Return True if an object has all labels of a selector of the form `a=b,c=d`."""
    wanted = [term.partition("=") for term in selector.split(",") if term]
    labels = (stored.load()["metadata"].get("labels") or {}) if wanted else {}
    return all(labels.get(key) == value for key, _, value in wanted)


def parse_continue(token: str) -> tuple[int, int]:
    """Parse a continue token to (index of the next object, version of the list).

    Raises:
        Refusal: 400 for a malformed token.
    """
    start, _, version = token.partition(".")
    if not (start.isdecimal() and version.isdecimal()):
        raise Refusal(400, "BadRequest", "continue key is not valid")
    return int(start), int(version)


def kind_of(change: Change, selector: Selector) -> str:
    """Return the type of a change as a watch with a selector reports it, "" if the watch does not report it.

    An object that begins to match the selector is ADDED, one that stops matching is DELETED.
    """
    before, now = change.before is not None and selector(change.before), selector(change.stored)
    if change.kind == "DELETED" or not now:
        return "DELETED" if before else ""
    return "MODIFIED" if before else "ADDED"
