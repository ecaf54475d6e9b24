"""Blocks of settings, and the description of each setting."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A block of settings."""


def text(help: str, least: float | None = None, secret: bool = False, **bounds: Any) -> Meta:
    """Describe a setting.

    Args:
        help: one or two sentences for the reference.
        least: lower bound of a duration or size, which msgspec cannot check; see `telegen.config.validation`.
        secret: the value is never shown.
        bounds: constraints that msgspec checks: ge, le, pattern, max_length.
    """
    extra = {**({} if least is None else {"least": least}), **({"secret": True} if secret else {})}
    return Meta(description=help, extra=extra or None, **bounds)


def without_effect(help: str, least: float | None = None, **bounds: Any) -> Meta:
    """Describe a setting that is accepted and checked for compatibility, and has no effect."""
    return Meta(description=help, extra={"effective": False, "least": least}, **bounds)
