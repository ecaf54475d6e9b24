"""Content negotiation: format and coding that a client accepts (RFC 9110, section 12)."""

from __future__ import annotations

from collections.abc import Iterator


def _items(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield (value, parameters, quality) of each element of a header; a quality that is not between 0 and 1 is ignored."""
    for element in header.split(","):
        value, *parameters = [part.strip() for part in element.split(";")]
        pairs = dict(part.partition("=")[::2] for part in parameters)
        if value:
            yield value.lower(), pairs, _quality(pairs.pop("q", "1"))


def _quality(text: str) -> float:
    # A scrape with an odd header is better than none; kube-state-metrics serves such clients too.
    try:
        quality = float(text)
    except ValueError:
        return 1.0
    return quality if 0 <= quality <= 1 else 1.0


def wants_openmetrics(accept: str) -> bool:
    """Return True if `accept` prefers OpenMetrics 1.0 to text 0.0.4, False if it prefers text or has no preference.

    Formats that are not served (protobuf) are ignored, so that a client which prefers one of them gets its next choice.
    """
    best = (0.0, False)
    for value, parameters, quality in _items(accept):
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
        value in ("gzip", "x-gzip") and quality > 0 for value, _, quality in _items(accept_encoding)
    )


def prefers_html(accept: str) -> bool:
    """Return True if the header names HTML with a quality that text does not exceed, as those of browsers do."""
    quality = {value: quality for value, _, quality in _items(accept)}
    return quality.get("text/html", 0.0) > 0 and quality["text/html"] >= quality.get("text/plain", 0.0)
