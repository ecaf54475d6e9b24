"""Content negotiation: format and coding that a client accepts (RFC 9110, section 12)."""

from __future__ import annotations

from collections.abc import Iterator


class BadHeader(ValueError):
    """A malformed header."""


def _items(header: str, name: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield (value, parameters, quality) of each element of a header.

    Raises:
        BadHeader: a quality is not a number between 0 and 1.
    """
    for element in header.split(","):
        value, *parameters = [part.strip() for part in element.split(";")]
        pairs = dict(part.partition("=")[::2] for part in parameters)
        try:
            quality = float(pairs.pop("q", "1"))
        except ValueError:
            quality = -1.0
        if not 0 <= quality <= 1:
            raise BadHeader(f"{name}: {element.strip()!r} has no quality between 0 and 1")
        if value:
            yield value.lower(), pairs, quality


def wants_openmetrics(accept: str) -> bool:
    """Return True if `accept` prefers OpenMetrics 1.0 to text 0.0.4, False if it prefers text or has no preference.

    Formats that are not served (protobuf) are ignored, so that a client which prefers one of them gets its next choice.
    """
    best = (0.0, False)
    for value, parameters, quality in _items(accept, "Accept"):
        if value == "application/openmetrics-text":
            served = parameters.get("version", "1.0.0").strip('"') in ("1.0.0", "0.0.1")
        else:
            served = value in ("text/plain", "text/*", "*/*")
        if served and quality > best[0]:
            best = (quality, value == "application/openmetrics-text")
    return best[1]


def accepts_gzip(accept_encoding: str) -> bool:
    """Return True if the header names gzip with a quality above 0."""
    return any(
        value in ("gzip", "x-gzip") and quality > 0 for value, _, quality in _items(accept_encoding, "Accept-Encoding")
    )
