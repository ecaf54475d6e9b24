"""Values as quantities of Kubernetes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache

_EXACT = 1 << 53
"""Largest whole number up to which a float is exact to the thousandth that is written."""
_DECIMAL, _BINARY = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def thousandths(value: str) -> int | None:
    """Return a value in thousandths, what is smaller cut off; None for NaN, infinities and texts that are no number."""
    try:
        number = float(value)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    if abs(number) >= _EXACT:
        return int(number) * 1000
    return int((Decimal(value.strip().replace("_", "")) * 1000).to_integral_value(ROUND_DOWN))


def rounded_thousandths(value: float | None) -> int | None:
    """Return a value in thousandths, None for one that is absent or not finite, also in thousandths."""
    return round(value * 1000) if value is not None and math.isfinite(value * 1000) else None


def quantity(value: int) -> str:
    """Return thousandths as a quantity without a large unit: `21`, `25500m`."""
    return f"{value}m" if value % 1000 else str(value // 1000)


def cpu_quantity(nanocores: int) -> str:
    """Return cores with the largest decimal unit that keeps the number whole: `123456789n`, `3500m`, `2k`."""
    if nanocores % 1000:
        return f"{nanocores}n"
    return _with_unit(nanocores, 1000, _DECIMAL) if nanocores else "0"


def memory_quantity(size: int) -> str:
    """Return bytes with the largest binary unit that keeps the number whole: `64Mi`."""
    if size % 1024 or not size:
        return str(size)
    return _with_unit(size, 1024, _BINARY) if size % (1 << 20) == 0 else f"{size >> 10}Ki"


def _with_unit(value: int, base: int, units: Sequence[str]) -> str:
    unit = 0
    while value and value % base == 0 and unit < len(units) - 1:
        value //= base
        unit += 1
    return f"{value}{units[unit]}"


def go_duration(seconds: float) -> str:
    """Return a duration as Go writes it: `1m0s`, `24h0m0s`, `10.5s`, `750ms`."""
    return _go_duration(round(seconds * 1000))


@lru_cache(1024)
def _go_duration(milliseconds: int) -> str:
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
