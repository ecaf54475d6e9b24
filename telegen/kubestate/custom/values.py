"""Texts and numbers of JSON values, as the configuration format of kube-state-metrics defines them: Go's rules, not Python's.

Sources: verb %v of Go's package fmt; time.Parse, strconv.ParseFloat and ParseBool; resource.Quantity of k8s.io/apimachinery.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from telegen.kubestate import quantity
from telegen.kubestate.fields import seconds
from telegen.metrics.family import Number

_INT64 = 1 << 63
_YES, _NO = frozenset(("true", "yes")), frozenset(("false", "no", "unknown"))
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d?):([0-5]\d):([0-5]\d)(?:[.,]\d+)?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
_PERCENT = re.compile(r"\d+%", re.ASCII)
_EXPONENT = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?[eE]([+-]?\d+)", re.ASCII)
_SPECIAL = re.compile(r"[+-]?inf(inity)?|nan", re.IGNORECASE | re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?", re.ASCII)
_HEX = re.compile(r"[+-]?0[xX](?:[\da-fA-F_]+(?:\.[\da-fA-F_]*)?|\.[\da-fA-F][\da-fA-F_]*)[pP][+-]?\d[\d_]*", re.ASCII)
_LOST_UNDERSCORE = re.compile(r"(?<![\da-fA-FxX])_|_(?![\da-fA-F])", re.ASCII)
_TRUE, _FALSE = frozenset(("1", "t", "T", "TRUE", "true", "True")), frozenset(("0", "f", "F", "FALSE", "false", "False"))
_WIDEST_EXPONENT = 400
"""Decimal exponents beyond it give infinity or the smallest amount: no large number is ever computed for them."""
_NANO = 1e-09
_LONGEST = 1024
"""Characters of the longest text that is read as a number: a tenant's object may hold texts of a megabyte, and texts are cached."""


def text_of(value: Any) -> str:
    """Return the text of a label value: that of Go's `fmt.Sprintf("%v", value)`."""
    # PERF: nearly all labels are strings or small numbers: 0.1 us.
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return str(value) if -_INT64 <= value < _INT64 else _float_text(_as_float(value))
    if value is None:
        return "<nil>"
    if kind is bool:
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, dict):
        # Go sorts strings by their bytes, as Python sorts by code points: the order of both is equal in UTF-8.
        return f"map[{' '.join([f'{key}:{text_of(value[key])}' for key in sorted(value)])}]"
    return f"[{' '.join([text_of(item) for item in value])}]"


def _float_text(value: float) -> str:
    """Return the shortest text that reads back as the same float; with an exponent below 1e-4 and from 1e6 on."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    negative, digits, power = Decimal(repr(value)).normalize().as_tuple()
    if not value:
        return "0"
    text, exponent = "".join(map(str, digits)), len(digits) + int(power) - 1
    sign = "-" if negative else ""
    if -4 <= exponent < 6:
        return sign + format(Decimal((0, digits, int(power))), "f")
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{sign}{text[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def number_of(value: Any) -> Number | None:
    """Return the number of a JSON value; None if it has none: null, a list, a map, or text that is no number."""
    # PERF: 0.1 us for a number, 0.2 for a known text.
    kind = value.__class__
    if kind is str:
        return _number_of_text(value) if len(value) <= _LONGEST else None
    if kind is int:
        return value if -_INT64 <= value < _INT64 else _as_float(value)
    return value if kind is float or kind is bool else None


@lru_cache(maxsize=16384)
def _number_of_text(text: str) -> Number | None:
    """Return the number of a text: word, time, quantity, percentage or float, in this order."""
    word = text.lower()
    if word in _YES or word in _NO:
        return int(word in _YES)
    for read in (_time, _quantity, _percentage, _float):
        number = read(text)
        if number is not None:
            return number
    return None


def _time(text: str) -> int | None:
    """Return the Unix seconds of a time of RFC 3339 as Go parses it; a fraction is cut toward the past."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    date, hour, minute, second, sign, *offset = found.groups()
    try:
        unix = seconds(f"{date}T00:00:00Z") + 3600 * int(hour) + 60 * int(minute) + int(second)
    except ValueError:
        return None
    hours, minutes = map(int, offset) if sign else (0, 0)
    if int(hour) > 23 or hours > 24 or minutes > 60:
        return None
    return unix - (-1 if sign == "-" else 1) * (3600 * hours + 60 * minutes)


def _quantity(text: str) -> float | None:
    """Return the float that the peer computes of a quantity. Its last bit may differ from that of the nearest float."""
    found = _EXPONENT.fullmatch(text)
    if found and len(found[4]) > 4:
        exponent = int(found[4]) if len(found[4]) <= 20 else _INT64
        if not -_INT64 <= exponent < _INT64:
            return None
        # The peer keeps the lowest 32 bits.
        exponent = (exponent + (1 << 31)) % (1 << 32) - (1 << 31)
        if abs(exponent) > _WIDEST_EXPONENT:
            return _extreme(found, exponent)
        text = f"{text[: found.start(4)]}{exponent}"
    try:
        return quantity.approximate(text)
    except ValueError:
        return None


def _extreme(found: re.Match[str], exponent: int) -> float:
    """Return infinity, or the smallest amount: any quantity that is not 0 is at least a nano."""
    is_zero = not (found[2] + (found[3] or "")).strip("0")
    size = 0.0 if is_zero else math.inf if exponent > 0 else _NANO
    return -size if found[1] == "-" else size


def _percentage(text: str) -> float | None:
    if not _PERCENT.fullmatch(text):
        return None
    number = float(text[:-1])
    return number / 100 if math.isfinite(number) else None


def _float(text: str) -> float | None:
    """Return a float as `strconv.ParseFloat` reads it; None for a text or a size that it refuses."""
    if _SPECIAL.fullmatch(text):
        return float(text)
    is_hex = bool(_HEX.fullmatch(text))
    if not (is_hex or _DECIMAL.fullmatch(text)) or _LOST_UNDERSCORE.search(text):
        return None
    plain = text.replace("_", "")
    try:
        number = float.fromhex(plain) if is_hex else float(plain)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def boolean_of(text: str) -> bool | None:
    """Return the truth value of a text, None if it has none; see Go's `strconv.ParseBool`."""
    return True if text in _TRUE else False if text in _FALSE else None
