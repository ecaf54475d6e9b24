"""Kubernetes quantities (`100m`, `4Gi`, `1e3`) as numbers, rounded as kube-state-metrics rounds them.

Source: the serialization format of k8s.io/apimachinery's resource.Quantity.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Union

from telegen.metrics.keys import sanitize

Quantity = Union[str, int, float]

_FORM = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)([a-zA-Z]*|[eE][+-]?\d+)", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_MAX = (1 << 63) - 1
_MAX_MILLI = _MAX // 1000
_NANO = 10**9


def _away(value: Fraction) -> int:
    """Rounded up to an integer, away from zero."""
    return ceil(value) if value >= 0 else floor(value)


@lru_cache(maxsize=16384)
def parse(quantity: Quantity) -> Fraction:
    """The exact value, rounded up to nano and capped at 2**63 - 1 as the API does.

    Raises:
        ValueError: it is no quantity.
    """
    if isinstance(quantity, bool) or not isinstance(quantity, (str, int, float)):
        raise ValueError(f"no quantity: {quantity!r}")
    found = _FORM.fullmatch(quantity if isinstance(quantity, str) else repr(quantity))
    if not found:
        raise ValueError(f"no quantity: {str(quantity)[:40]!r}")
    sign, digits, suffix = found.groups()
    if suffix in _BINARY:
        scale = Fraction(1 << _BINARY[suffix])
    elif suffix in _DECIMAL:
        scale = Fraction(10) ** _DECIMAL[suffix]
    elif len(suffix) > 1 and suffix[0] in "eE" and len(suffix) < 6:
        scale = Fraction(10) ** int(suffix[1:])
    else:
        raise ValueError(f"no quantity: unknown suffix {suffix[:40]!r}")
    exact = Fraction(digits) * scale
    value = min(Fraction(_away(exact * _NANO), _NANO), Fraction(_MAX))
    return -value if sign == "-" else value


@lru_cache(maxsize=16384)
def milli(quantity: Quantity) -> float:
    """Rounded up to a thousandth; to a whole number where thousandths would not fit into 63 bits."""
    value = parse(quantity)
    whole = _away(value)
    # The peer divides floats: beyond 2**53 the two roundings differ from one.
    return float(whole) if whole > _MAX_MILLI else float(_away(value * 1000)) / 1000.0


@lru_cache(maxsize=16384)
def whole(quantity: Quantity) -> int:
    """Rounded up to a whole number."""
    return _away(parse(quantity))


def approximate(quantity: Quantity) -> float:
    """The number as the peer has it: digits times a power of ten, both floats, so its last bit may differ from the nearest
    float's."""
    value = parse(quantity)
    if abs(value) == _MAX:
        return float(value)
    _, digits, suffix = _FORM.fullmatch(quantity if isinstance(quantity, str) else repr(quantity)).groups()  # type: ignore[union-attr]
    exponent = -len(digits.partition(".")[2])
    if suffix not in _BINARY:
        exponent += _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    exponent = max(exponent, -9)
    return float(value / Fraction(10) ** exponent) * float(f"1e{exponent}")


_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")


@lru_cache(maxsize=4096)
def resource_class(name: str) -> tuple[str, str] | None:
    """(resource label, unit label) of a compute resource; None for those that are not shown.

    Byte for memory, storage, huge pages and attachable volumes, core for cpu, integer for extended resources
    (`nvidia.com/gpu`).
    """
    if name == "cpu":
        return name, "core"
    if name in ("storage", "ephemeral-storage", "memory") or name.startswith(("hugepages-", "attachable-volumes-")):
        return sanitize(name), "byte"
    return (sanitize(name), "integer") if _is_extended(name) else None


def _is_extended(name: str) -> bool:
    """Whether this is an extended resource name, as the API's validation has it."""
    domain, slash, local = name.partition("/")
    if not slash or "kubernetes.io/" in name or name.startswith("requests."):
        return False
    prefix = f"requests.{domain}"
    return len(prefix) <= 253 and bool(_PREFIX.fullmatch(prefix)) and len(local) <= 63 and bool(_NAME.fullmatch(local))
