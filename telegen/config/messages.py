"""Messages of msgspec about a configuration, in terms of YAML: `path: cause`, with the nearest known key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from telegen.config.flags import foreign_key
from telegen.config.settings import choices, settings
from telegen.config.text_formats import describe_mismatch

MAX_LINE = 2000
"""Maximum of characters of an error."""

_AT = re.compile(r"(?s)(.*) - at `(?:key in )?\$(.*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_TYPES = re.compile("`(.*?)`")
_YAML_TERMS = {
    "object": "a block of settings",
    "array": "a list",
    "str": "a string",
    "str | array": "a word or a list",
    "int": "a whole number",
    "bool": "true or false",
    "bool | null": "true, false or null",
}
"""Terms for YAML users, by msgspec's name of the type."""


def printable(line: str) -> str:
    """Shorten a line, and escape control characters: a value must not forge a line of the log."""
    short = line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..."
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in short)


def explain(message: str, path: str) -> tuple[str, str]:
    """Return the path and the cause of a message of `msgspec.ValidationError`.

    Args:
        path: of the value that was converted.
    """
    # msgspec has no structured errors; a test for each kind of message notices a changed wording.
    found = _AT.fullmatch(message)
    cause, path = (found[1], f"{path}{found[2]}") if found else (message, path)
    unknown = _UNKNOWN.fullmatch(cause)
    if unknown:
        return f"{path}.{unknown[1]}", "unknown key"
    cause = describe_mismatch(_TYPES.sub(_in_terms_of_yaml, cause))
    if cause.startswith("Invalid enum value"):
        *others, last = choices(path)
        cause = f"expected {', '.join(others)} or {last}, got {cause.rpartition(' ')[2]}"
    return path, f"{cause[0].lower()}{cause[1:]}"


def _in_terms_of_yaml(quoted: re.Match[str]) -> str:
    return _YAML_TERMS.get(quoted[1], quoted[1])


def suggest(name: str, known: Collection[str]) -> str:
    """Return `, did you mean NAME?` for the closest of some names, "" if none is close."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f", did you mean {close[0]}?" if close else ""


def explain_unknown_key(block: str, name: str) -> str:
    """Return the message for a key that a block does not have, with the nearest known key."""
    foreign = "" if block else foreign_key(name)
    if foreign:
        return f"unknown key: {foreign}"
    start = f"{block}." if block else ""
    siblings = [known.removeprefix(start).split(".")[0] for known, _, _ in settings() if known.startswith(start)]
    return f"unknown key{suggest(name, siblings) or _suggest_block(name)}"


def _suggest_block(name: str) -> str:
    """Return the full paths of a key or block of this name. A wrong indentation puts a valid key into the wrong block."""
    paths = [known.split(".") for known, _, _ in settings()]
    places = {".".join(path[: path.index(name) + 1]) for path in paths if name in path}
    # A name like `enabled` is in many blocks; naming them all would not help.
    return f", did you mean {' or '.join(sorted(places))}?" if 0 < len(places) <= 3 else ""
