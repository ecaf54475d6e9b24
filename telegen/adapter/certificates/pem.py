"""Blocks of PEM in a text."""

from __future__ import annotations

import re

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def certificates_of(text: str) -> tuple[str, ...]:
    """Return the certificates of a text, each with a line break at its end. Anything around them is dropped."""
    return tuple(f"{block}\n" for block in _CERTIFICATE.findall(text))
