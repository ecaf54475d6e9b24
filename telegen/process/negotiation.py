"""Content negotiation: format and coding that a client accepts (RFC 9110, section 12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


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


@dataclass(frozen=True)
class Format:
    """A format that is served.

    Attributes:
        media_type, version: name in Accept headers.
        openmetrics: False for text 0.0.4.
    """

    media_type: str
    version: str
    openmetrics: bool

    @property
    def content_type(self) -> str:
        """Value of Content-Type."""
        return f"{self.media_type}; version={self.version}; charset=utf-8"

    def specificity(self, media_range: str, version: str) -> int:
        """Return how exactly a media range names this format: 3 with its version, 2 without, 1 for `text/*`, 0 for `*/*`, -1 not at all."""
        if media_range == self.media_type:
            return -1 if version and version != self.version else 3 if version else 2
        if media_range == f"{self.media_type.partition('/')[0]}/*":
            return 1
        return 0 if media_range == "*/*" else -1


TEXT = Format("text/plain", "0.0.4", False)
OPENMETRICS = Format("application/openmetrics-text", "1.0.0", True)
OPENMETRICS_DRAFT = Format("application/openmetrics-text", "0.0.1", True)
"""The draft, which Prometheus accepts too; a page of the agent is equal in both versions."""


def choose_format(accept: str) -> Format:
    """Return the format that a client prefers, text 0.0.4 without a preference.

    The quality of a format is that of the most specific range that names it. Of equal ones the format that is named goes before one
    that only a wildcard covers, then the one that is named first. Formats that are not served, such as protobuf and text 1.0.0, are
    ignored. A client that accepts none gets text: a scrape in another format is better than none, and kube-state-metrics does so too.
    """
    ranges = [(value, parameters.get("version", "").strip('"'), quality) for value, parameters, quality in _items(accept)]
    best, chosen = (0.0, False, 0), TEXT
    for candidate in (TEXT, OPENMETRICS, OPENMETRICS_DRAFT):
        matches = [
            (candidate.specificity(value, version), -place, quality) for place, (value, version, quality) in enumerate(ranges)
        ]
        specificity, place, quality = max(matches, default=(-1, 0, 0.0))
        rank = (quality, specificity > 1, place)
        if specificity >= 0 and quality > 0 and (best[0] == 0 or rank > best):
            best, chosen = rank, candidate
    return chosen


def accepts_gzip(accept_encoding: str) -> bool:
    """Return True if the header names gzip, and not with less quality than identity."""
    qualities = {value: quality for value, _, quality in reversed(list(_items(accept_encoding)))}
    gzip = max(qualities.get("gzip", 0.0), qualities.get("x-gzip", 0.0))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def prefers_html(accept: str) -> bool:
    """Return True if the header names HTML with a quality that text does not exceed, as those of browsers do."""
    quality = {value: quality for value, _, quality in _items(accept)}
    return quality.get("text/html", 0.0) > 0 and quality["text/html"] >= quality.get("text/plain", 0.0)
