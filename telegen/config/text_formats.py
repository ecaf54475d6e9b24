"""Formats of text settings: a regular expression for the loader and a description for error messages."""

from __future__ import annotations

from collections.abc import Mapping

CLUSTER_NAME = "^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
LABEL_VALUE = r"^[^\x00-\x1f\x7f]{0,253}$"
LEASE_NAME = "^[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?$"
PAGE_PATH = "^/[A-Za-z0-9/_.-]*$"
OPTIONAL_SERVICE_NAME = "^([a-z]([a-z0-9-]{0,61}[a-z0-9])?)?$"
SERVICE_NAME = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
URL = "^(https?://.*)?$"

FORMATS: Mapping[str, str] = {
    CLUSTER_NAME: "1 to 63 letters, digits, '.', '_' and '-', beginning and ending with a letter or a digit",
    LABEL_VALUE: "at most 253 characters without control characters such as line breaks",
    LEASE_NAME: "1 to 202 lower case letters, digits, '.' and '-', beginning and ending with a letter or a digit",
    PAGE_PATH: "a path like /metrics, of letters, digits, '/', '_', '.' and '-'",
    OPTIONAL_SERVICE_NAME: "up to 63 lower case letters, digits and '-', beginning with a letter and not ending with '-'",
    SERVICE_NAME: "1 to 63 lower case letters, digits and '-', beginning with a letter and not ending with '-'",
    URL: "a URL like http://localhost:8001",
}
"""Description by regular expression."""


def describe_mismatch(complaint: str) -> str:
    """Replace a complaint about a regular expression by the description of its format; return others unchanged."""
    for expression, description in FORMATS.items():
        if repr(expression) in complaint:
            return f"expected {description}"
    return complaint
