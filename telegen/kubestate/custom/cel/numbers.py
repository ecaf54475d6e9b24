"""Whole numbers of CEL: signed and unsigned, of 64 bits."""

from __future__ import annotations

from telegen.kubestate.custom.cel.errors import EvaluationError

INT_MIN, INT_MAX, UINT_MAX = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1


class UInt(int):
    """A number without sign: `1u`."""


def checked_int(value: int) -> int:
    """Return a number.

    Raises:
        EvaluationError: it does not fit 64 bits.
    """
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("the number does not fit an int of 64 bits")


def checked_uint(value: int) -> UInt:
    """Return a number without sign.

    Raises:
        EvaluationError: it is negative, or does not fit 64 bits.
    """
    if 0 <= value <= UINT_MAX:
        return UInt(value)
    raise EvaluationError("the number does not fit a uint of 64 bits")
