"""Split a template into text and the tokens of its actions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

LEFT, RIGHT = "<<", ">>"
_SPACE = " \t\r\n"
_COMMENT = re.compile(r"<<(?:- )?\s*/\*.*?\*/\s*(?: -)?>>", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<raw>`[^`]*`)
    |(?P<number>[+-]?\d+(?:\.\d+)?)
    |(?P<field>\.[^\W\d]\w*)
    |(?P<variable>\$\w*)
    |(?P<word>[^\W\d]\w*)
    |(?P<sign>:=|[=|(),.])""",
    re.VERBOSE,
)


class TemplateError(Exception):
    """A template that cannot be parsed, or that fails with the values of a request."""


class Token(NamedTuple):
    """A token of an action.

    Attributes:
        kind: string, raw, number, field, variable, word or sign.
        spaced: True if a space comes before it. `.a .b` are two operands, `.a.b` is one.
    """

    kind: str
    text: str
    spaced: bool


@dataclass(frozen=True)
class Text:
    """Text that is copied to the output."""

    text: str


Piece = Text | tuple[Token, ...]
"""Text, or the tokens of an action."""


def pieces(source: str) -> Iterator[Piece]:
    """Yield the pieces of a template. `<<- ` and ` ->>` trim the space of the text beside them.

    Raises:
        TemplateError: an action is not closed, or has a character that no token begins with.
    """
    place, trim = 0, False
    while (start := source.find(LEFT, place)) >= 0:
        comment = _COMMENT.match(source, start)
        starts_trimmed = source.startswith("- ", start + len(LEFT))
        text = source[place:start].rstrip(_SPACE) if starts_trimmed else source[place:start]
        yield Text(text.lstrip(_SPACE) if trim else text)
        if comment:
            place, trim = comment.end(), comment.group().endswith(" ->>")
            continue
        tokens, place, trim = _action(source, start + len(LEFT) + starts_trimmed)
        yield tokens
    text = source[place:]
    yield Text(text.lstrip(_SPACE) if trim else text)


def _action(source: str, place: int) -> tuple[tuple[Token, ...], int, bool]:
    """Return the tokens of an action, the place after it, and True if the following text is trimmed."""
    start, tokens = place, list[Token]()
    while place < len(source):
        spaced = place
        while place < len(source) and source[place] in _SPACE:
            place += 1
        for end, trim in ((f"-{RIGHT}", place > spaced), (RIGHT, False)):
            if source.startswith(end, place) and (trim or end == RIGHT):
                return tuple(tokens), place + len(end), trim
        if not (found := _TOKEN.match(source, place)):
            break
        tokens.append(Token(str(found.lastgroup), found.group(), place > spaced))
        place = found.end()
    if place >= len(source):
        raise TemplateError(f"action {source[start:start + 40]!r} is not closed by {RIGHT}")
    raise TemplateError(f"unexpected {source[place:place + 10]!r} in an action")
