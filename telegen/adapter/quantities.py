"""Values of Prometheus as quantities of Kubernetes."""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, Decimal

_EXACT = 1 << 53
"""Largest whole number up to which a float is exact to the thousandth that is written."""
_DECIMAL, _BINARY = ("", "k", "M", "G", "T", "P", "E"), ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


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


def quantity(value: int) -> str:
    """Return thousandths as a quantity without a large unit: `21`, `25500m`."""
    return f"{value}m" if value % 1000 else str(value // 1000)


def decimal_quantity(value: int) -> str:
    """Return thousandths with the largest decimal unit that keeps the number whole: `3500m`, `2k`."""
    return f"{value}m" if value % 1000 else _with_unit(value // 1000, 1000, _DECIMAL)


def binary_quantity(value: int) -> str:
    """Return thousandths as whole units, with the largest binary unit that keeps the number whole: `64Mi`."""
    return _with_unit(value // 1000, 1024, _BINARY)


def _with_unit(value: int, base: int, units: tuple[str, ...]) -> str:
    unit = 0
    while value and value % base == 0 and unit < len(units) - 1:
        value //= base
        unit += 1
    return f"{value}{units[unit]}"


def go_duration(seconds: float) -> str:
    """Return a duration as Go writes it: `1m0s`, `24h0m0s`, `10.5s`."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
