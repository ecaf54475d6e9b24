"""Form of an answer by the Accept header, as the API server reads it: a document in JSON, or what it is transformed to, such as a Table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import falcon

from telegen.adapter.apis.answers import StatusError

JSON_TYPES = frozenset(("application/json", "application/*", "*/*", "application/vnd.kubernetes.protobuf"))
"""Media types that JSON satisfies. Clients of protobuf decode an answer by its Content-Type, and take JSON as well."""


class Form(NamedTuple):
    """Kind, group and version that a document is transformed to; all "" for the document itself."""

    kind: str = ""
    group: str = ""
    version: str = ""

    @property
    def media_type(self) -> str:
        """Media type of the form."""
        return f"application/json;g={self.group};v={self.version};as={self.kind}" if self.kind else "application/json"


PLAIN = Form()


def preferred(accept: str, forms: Sequence[Form]) -> Form | None:
    """Return the form that a client prefers, None if it accepts none of them.

    Args:
        accept: header; "" accepts everything.
    """
    return next((form for form in _accepted(accept) if form in forms), None)


def negotiate(accept: str, forms: Sequence[Form] = (PLAIN,)) -> Form:
    """Return the form that a client prefers.

    Raises:
        StatusError: 406, it accepts none of them.
    """
    form = preferred(accept, forms)
    if form is None:
        types = ", ".join(one.media_type for one in forms)
        raise StatusError(406, "NotAcceptable", f"only the following media types are accepted: {types}")
    return form


def _accepted(accept: str) -> Iterator[Form]:
    """Yield the accepted forms of JSON, by weight, then in the order of the header; wildcards come last."""
    parsed = [falcon.parse_header(part) for part in accept.split(",")] if accept.strip() else [("*/*", {})]
    weighed = [(_weight(parameters.get("q", "1")), name.strip().lower(), parameters) for name, parameters in parsed]
    for weight, name, parameters in sorted(weighed, key=lambda one: (-one[0], "*" in one[1])):
        if weight > 0 and name in JSON_TYPES:
            kind = parameters.get("as", "")
            yield Form(kind, parameters.get("g", ""), parameters.get("v", "")) if kind else PLAIN


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0
