"""Kubernetes quantities (`100m`, `4Gi`, `1e3`) as numbers, rounded as kube-state-metrics rounds them.

Source: serialization format and arithmetic of resource.Quantity in k8s.io/apimachinery. Its integers have 64 bits, and the
result of an overflow, wrapped or 0, is reproduced here: parity covers malformed and extreme quantities as well.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import NamedTuple, Union

from telegen.metrics.label_keys import sanitize

Quantity = Union[str, int, float, None]

_FORM = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([a-zA-Z]*|[eE][+-]?\d+)", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_MAX = (1 << 63) - 1
_MAX_MILLI = _MAX // 1000
_NANO, _MILLI = -9, -3
_WRAPPING = (1, 2, 3, 6, 9)
"""Powers of ten by which the peer multiplies in one step, so that an overflow wraps. Others take several steps and give 0."""


class Amount(NamedTuple):
    """The number digits * 10**exponent; `small` if the peer keeps the digits in 64 bits."""

    digits: int
    exponent: int
    small: bool


@lru_cache(maxsize=16384)
def parse(quantity: Quantity) -> Amount:
    """Parse a quantity; None is 0.

    A value that does not fit into 64 bits is rounded up to nano; one with a binary suffix is at most 2**63 - 1.

    Raises:
        ValueError: `quantity` is malformed.
    """
    if quantity is None:
        return Amount(0, 0, True)
    # bool first: it is an int for isinstance.
    if isinstance(quantity, bool) or not isinstance(quantity, (str, int, float)):
        raise ValueError(f"not a quantity: {quantity!r}")
    found = _FORM.fullmatch(quantity if isinstance(quantity, str) else repr(quantity))
    # Every group of the expression may be empty, so it matches "" as well.
    if not quantity and quantity != 0 or not found:
        raise ValueError(f"not a quantity: {str(quantity)[:40]!r}")
    sign, whole, fraction, suffix = found[1], found[2].lstrip("0") or "0", found[3] or "", found[4]
    if suffix in _BINARY:
        amount = _binary(whole, fraction, _BINARY[suffix])
    else:
        amount = _decimal(whole, fraction, _exponent(suffix))
    return amount._replace(digits=-amount.digits) if sign == "-" else amount


def _exponent(suffix: str) -> int:
    if suffix in _DECIMAL:
        return _DECIMAL[suffix]
    if suffix[0] in "eE" and 1 < len(suffix) < 8:
        return int(suffix[1:])
    raise ValueError(f"no quantity: unknown suffix {suffix[:40]!r}")


def _decimal(whole: str, fraction: str, exponent: int) -> Amount:
    exponent -= len(fraction)
    digits = int(whole + fraction)
    small = len(whole + fraction) <= 18 and exponent >= _NANO
    return Amount(digits, exponent, True) if small else _large(digits, exponent)


def _binary(whole: str, fraction: str, power: int) -> Amount:
    digits = int(whole + fraction) << power
    if not fraction and len(whole) + power * 3 // 10 < 15:
        return Amount(digits, 0, True)
    rounded = _large(digits, -len(fraction))
    return Amount(_MAX, 0, False) if rounded.digits > _MAX * 10**9 else rounded


def _large(digits: int, exponent: int) -> Amount:
    """Return the amount in nano, rounded up."""
    if exponent > 400:
        raise ValueError(f"not a quantity: a number of {exponent} digits")
    shift = exponent - _NANO
    return Amount(digits * 10**shift if shift >= 0 else -(-digits // 10**-shift), _NANO, False)


def _wrap(value: int) -> int:
    """Return the lowest 64 bits as a signed integer."""
    return (value + _MAX + 1 & (1 << 64) - 1) - _MAX - 1


def _scaled(amount: Amount, exponent: int) -> int:
    """Return the amount in units of 10**exponent, rounded up; a small amount is rounded away from zero."""
    digits, shift = amount.digits, amount.exponent - exponent
    unit: int = 10 ** abs(shift)
    if shift >= 0:
        value = digits * unit
        return value if abs(value) <= _MAX else _wrap(value) if shift in _WRAPPING or not amount.small else 0
    if amount.small:
        return -(-digits // unit) if digits >= 0 else digits // unit
    if digits < _MAX:
        # The peer truncates and then adds 1, so large negative amounts are not rounded like small ones.
        cut = abs(_wrap(digits)) // unit
        return (cut if _wrap(digits) >= 0 else -cut) + bool(_wrap(digits) % unit)
    return _wrap(-(-digits // unit))


@lru_cache(maxsize=16384)
def milli(quantity: Quantity) -> float:
    """Return the quantity rounded up to a thousandth, or to an integer if thousandths do not fit into 63 bits."""
    amount = parse(quantity)
    whole = _scaled(amount, 0)
    # The peer divides two floats. Beyond 2**53 each is rounded, so an exact division would give another result.
    return float(whole) if whole > _MAX_MILLI else float(_scaled(amount, _MILLI)) / 1000.0


@lru_cache(maxsize=16384)
def whole(quantity: Quantity) -> int:
    """Return the quantity rounded up to an integer."""
    return _scaled(parse(quantity), 0)


def approximate(quantity: Quantity) -> float:
    """Return the peer's float: digits times a power of ten, both floats. Its last bit may differ from the nearest float."""
    digits, exponent, _ = parse(quantity)
    if not digits:
        return 0.0
    try:
        return float(digits) * _power_of_ten(exponent)
    except OverflowError:
        return math.inf if digits > 0 else -math.inf


def _power_of_ten(exponent: int) -> float:
    """Return Go's power of ten. From 1e32 on it is a product of two: 1e99 is 1e96 * 1e3, which is not the nearest float."""
    if exponent < 32:
        return float(f"1e{exponent}")
    return float(f"1e{exponent - exponent % 32}") * float(f"1e{exponent % 32}")


_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")


@lru_cache(maxsize=4096)
def resource_classes(name: str) -> tuple[tuple[str, str], ...]:
    """Return (resource label, unit label) of a compute resource; nothing for a resource that is not exposed.

    The unit is `byte` for memory, storage, huge pages and attachable volumes, `core` for cpu, and `integer` for extended
    resources (`nvidia.com/gpu`). A name can have two units (`hugepages-x/y`) and is exposed with both.
    """
    if name == "cpu":
        return ((name, "core"),)
    label, bytes_ = sanitize(name), ("storage", "ephemeral-storage", "memory")
    found = [(label, "byte")] if name in bytes_ or name.startswith(("hugepages-", "attachable-volumes-")) else []
    return (*found, (label, "integer")) if _is_extended(name) else tuple(found)


def _is_extended(name: str) -> bool:
    """Return True for the name of an extended resource, by the rules of the API's validation."""
    domain, slash, local = name.partition("/")
    if not slash or "kubernetes.io/" in name or name.startswith("requests."):
        return False
    prefix = f"requests.{domain}"
    return len(prefix) <= 253 and bool(_PREFIX.fullmatch(prefix)) and len(local) <= 63 and bool(_NAME.fullmatch(local))
