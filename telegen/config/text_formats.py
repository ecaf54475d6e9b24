"""What the text of a setting has to look like: an expression for the loader, and words for whoever it refuses."""

from __future__ import annotations

from collections.abc import Mapping

CLUSTER_NAME = "^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
LABEL_VALUE = r"^[^\x00-\x1f\x7f]{0,253}$"
LEASE_NAME = "^[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?$"
PAGE_PATH = "^/[A-Za-z0-9/_.-]*$"
URL = "^(https?://.*)?$"

SHAPES: Mapping[str, str] = {
    CLUSTER_NAME: "1 to 63 letters, digits, '.', '_' and '-', the first and the last of them a letter or a digit",
    LABEL_VALUE: "at most 253 characters and none that controls a terminal, as a line's end does",
    LEASE_NAME: "1 to 202 lower case letters, digits, '.' and '-', the first and the last of them a letter or a digit",
    PAGE_PATH: "a path like /metrics, of letters, digits, '/', '_', '.' and '-'",
    URL: "a URL like http://localhost:8001",
}
"""Words by expression."""


def in_words(complaint: str) -> str:
    """A complaint about an expression that does not match, in words; any other as it is."""
    for expression, words in SHAPES.items():
        if repr(expression) in complaint:
            return f"expected {words}"
    return complaint
