"""Regular expressions of rules files: RE2, whose time is linear in the text for every pattern."""

from __future__ import annotations

import re
from typing import Any

_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")
_NUMBER = re.compile(r"0|[1-9][0-9]*")
"""Numbers of groups. What has a leading zero is a name."""
MAX_MEMORY = 8 << 20
"""Bytes that a compiled expression may take."""


class RegexError(Exception):
    """A regular expression or a replacement that is not valid."""


def compile_regex(pattern: str) -> Any:
    """Return a compiled expression; it is searched, not anchored.

    Raises:
        RegexError: the expression is not valid, or the package google-re2 is absent.
    """
    try:
        import re2
    except ImportError as error:
        raise RegexError("rules need the package google-re2; install telegen[adapter]") from error
    options = re2.Options()
    options.log_errors, options.max_mem = False, MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise RegexError(f"{pattern[:60]!r}: {reason.decode(errors='replace') if isinstance(reason, bytes) else reason}") from error


class Replacement:
    """A text with references to groups: `$1`, `${1}`, `${name}`, and `$$` for a dollar sign."""

    def __init__(self, text: str, regex: Any) -> None:
        """Check a replacement.

        Raises:
            RegexError: it names a group that the expression does not have.
        """
        self._text = text
        for braced, plain in _REFERENCE.findall(text):
            name = braced or plain
            if name and not (int(name) <= regex.groups if _NUMBER.fullmatch(name) else name in regex.groupindex):
                cure = f"; write ${{{digits}}}{name[len(digits):]}" if (digits := _digits(name)) and not braced else ""
                raise RegexError(f"{text!r} names the group {name!r}, which `matches` does not have{cure}")

    def expand(self, match: Any) -> str:
        """Return the text for a match; a group without a match is empty."""

        def group(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            if not name:
                return "$"
            return match.group(int(name) if _NUMBER.fullmatch(name) else name) or ""

        return _REFERENCE.sub(group, self._text)


def _digits(name: str) -> str:
    """Return the number at the beginning of a name that is not a number."""
    digits = name[: len(name) - len(name.lstrip("0123456789"))]
    return digits if digits != name else ""
