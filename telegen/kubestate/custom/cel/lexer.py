"""Tokens of expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from telegen.kubestate.custom.cel.errors import InvalidExpression
from telegen.kubestate.custom.cel.numbers import INT_MAX, UINT_MAX, UInt

MAX_LENGTH = 8192
"""Characters of the longest expression."""

NAME, LITERAL, SYMBOL, END = "name", "literal", "symbol", "end"

_STRING = r"""(?P<prefix>[bB]?[rR]?)(?P<quote>\"\"\"|'''|"|')"""
_TOKEN = re.compile(
    rf"""(?P<space>(?:[ \t\r\n\f]|//[^\n]*)+)
    |(?P<float>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
    |(?P<int>0x[0-9a-fA-F]+|\d+)(?P<unsigned>[uU]?)
    |(?P<string>{_STRING})
    |(?P<quoted>`[A-Za-z0-9_.\-/ ]+`)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<symbol>\.\?|\[\?|&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]{{}}])""",
    re.VERBOSE | re.ASCII,
)
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\?\"'`])|([xX])([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.?))", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_WORDS = {"true": True, "false": False, "null": None}


class Token(NamedTuple):
    """A token.

    Attributes:
        kind: NAME, LITERAL, SYMBOL or END.
        text: of a name or a symbol; of a literal its spelling.
        value: of a literal.
        position: of the first character.
    """

    kind: str
    text: str
    value: Any
    position: int


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text, END included.

    Raises:
        InvalidExpression: a character or a literal is malformed, or the text is too long.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidExpression(f"{len(text)} characters; at most {MAX_LENGTH} are accepted")
    return [*_tokens(text), Token(END, "the end", None, len(text))]


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if not found:
            cure = "operators are + - * / % == != < <= > >= in && || ! ?:"
            raise InvalidExpression(f"unexpected character {text[position]!r}; {cure}", position)
        end = found.end()
        if found["string"] is not None:
            value, end = _string(text, position, found)
            yield Token(LITERAL, text[position:end], value, position)
        elif found["space"] is None:
            yield _token(found, position)
        position = end


def _token(found: re.Match[str], position: int) -> Token:
    spelling = found[0]
    if found["float"] is not None:
        return Token(LITERAL, spelling, float(spelling), position)
    if found["int"] is not None:
        return Token(LITERAL, spelling, _integer(found["int"], bool(found["unsigned"]), position), position)
    if found["quoted"] is not None:
        return Token(NAME, spelling, spelling[1:-1], position)
    if found["name"] is not None:
        return Token(LITERAL, spelling, _WORDS[spelling], position) if spelling in _WORDS else Token(NAME, spelling, spelling, position)
    return Token(SYMBOL, spelling, None, position)


def _integer(digits: str, is_unsigned: bool, position: int) -> int:
    """Return a whole number. The smallest int is the negation of a number that is one larger than the largest int."""
    if len(digits) > 20:
        raise InvalidExpression(f"{digits[:20]}... is out of range; write a float, such as 1e20", position)
    value = int(digits, 16 if digits.startswith("0x") else 10)
    if value > (UINT_MAX if is_unsigned else INT_MAX + 1):
        raise InvalidExpression(f"{digits} is out of range; write a float, such as 1e20", position)
    return UInt(value) if is_unsigned else value


def _string(text: str, position: int, found: re.Match[str]) -> tuple[str | bytes, int]:
    """Return the value of a string or of bytes, and the position after it."""
    prefix, quote = found["prefix"].lower(), found["quote"]
    start = end = found.end()
    while not text.startswith(quote, end):
        if end >= len(text) or (text[end] in "\r\n" and len(quote) == 1):
            raise InvalidExpression(f"the string that begins here has no closing {quote}; add it", position)
        end += 2 if text[end] == "\\" and "r" not in prefix else 1
    body = text[start:end]
    if "b" in prefix:
        return (body.encode() if "r" in prefix else _bytes(body, start)), end + len(quote)
    return (body if "r" in prefix else _unescaped(body, start)), end + len(quote)


def _unescaped(body: str, start: int) -> str:
    def character(found: re.Match[str]) -> str:
        simple, _, byte, short, long, octal, wrong = found.groups()
        if simple is not None:
            return _SIMPLE.get(simple, simple)
        if wrong is not None:
            raise InvalidExpression(rf"unknown escape \{wrong}; write \\{wrong} for a backslash, or r'...'", start + found.start())
        code = int(octal, 8) if octal else int(byte or short or long, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise InvalidExpression(f"{found[0]} is not a character of Unicode; leave it out", start + found.start())
        return chr(code)

    return _ESCAPE.sub(character, body) if "\\" in body else body


def _bytes(body: str, start: int) -> bytes:
    parts, position = [], 0
    for found in _ESCAPE.finditer(body):
        _, _, byte, short, long, octal, _ = found.groups()
        if short or long:
            raise InvalidExpression(f"{found[0]} is not accepted in bytes; write \\xHH", start + found.start())
        parts.append(body[position : found.start()].encode())
        code = int(octal, 8) if octal else int(byte, 16) if byte else None
        parts.append(_unescaped(found[0], start + found.start()).encode() if code is None else bytes([code]))
        position = found.end()
    return b"".join([*parts, body[position:].encode()])
