"""Types of settings that YAML does not have: durations, sizes, addresses, patterns. Each parses text or raises ValueError."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from telegen.config.patterns import compile_pattern

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"([0-9]{1,16})\s*([KMGT]i?)?B?")
_LONGEST = 576
"""Hours of the longest duration, 24 days: the kernel counts the milliseconds of a timeout in 31 bits."""
_LARGEST = 2**40
"""Bytes of the largest size, 1 TiB."""
_HOST = re.compile(r"(?=.{0,253}$)([A-Za-z0-9_-]{1,63}(\.|$))*")
_PORT = re.compile("[0-9]{1,9}")
_FACTORS = {
    None: 1,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def _shown(value: object) -> str:
    """Return a value as Python writes it, shortened for a message."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


class Duration(float):
    """Seconds; written as in Go: `10s`, `1m30s`, `100ms`."""

    _most_hours = _LONGEST

    @classmethod
    def read(cls, text: object) -> Duration:
        """Parse `1m30s`."""
        if isinstance(text, str):
            # findall skips what does not match, so the parts must add up to the whole text.
            parts = _DURATION.findall(text)
            if parts and "".join(number + unit for number, unit in parts) == text:
                value = cls(sum(float(number) * _SECONDS[unit] for number, unit in parts))
                if value > cls._most_hours * 3600:
                    raise ValueError(f"must be at most {cls._most_hours}h, not {_shown(text)}")
                return value
        raise ValueError(f"expected a duration like 10s or 1m30s, got {_shown(text)}")

    def __str__(self) -> str:
        for unit in ("h", "m", "s"):
            if self and self % _SECONDS[unit] == 0:
                return f"{int(self / _SECONDS[unit])}{unit}"
        return f"{round(self * 1000)}ms"


class Lifetime(Duration):
    """Seconds that something exists, which no timer measures: up to ten years."""

    _most_hours = 87_600


class Size(int):
    """Bytes; written with a unit: `512MiB`, `4Gi`, or as a plain number."""

    @classmethod
    def read(cls, text: object) -> Size:
        """Parse `512MiB` or a number of bytes."""
        # bool is a subclass of int, and YAML has both.
        if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
            value = text
        else:
            found = _SIZE.fullmatch(text) if isinstance(text, str) else None
            if not found:
                raise ValueError(f"expected a size like 512MiB, got {_shown(text)}")
            value = int(found[1]) * _FACTORS[found[2]]
        if value > _LARGEST:
            raise ValueError(f"must be at most {cls(_LARGEST)}, not {_shown(text)}")
        return cls(value)

    def __str__(self) -> str:
        for unit in ("Ti", "Gi", "Mi", "Ki"):
            if self and self % _FACTORS[unit] == 0:
                return f"{self // _FACTORS[unit]}{unit}B"
        return str(int(self))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


class ListenAddress(str):
    """Address to listen on: `:9443` (all addresses), `127.0.0.1:9443`, `[::1]:9443`; port 0 means any free port."""

    @classmethod
    def read(cls, text: object) -> ListenAddress:
        """Check the form and keep the text."""
        host, colon, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
        bracketed = host.startswith("[") and host.endswith("]") and _is_ipv6(host[1:-1])
        # Without brackets `::1:80` would be ambiguous.
        valid = bracketed or _HOST.fullmatch(host)
        if not colon or not valid or not _PORT.fullmatch(port) or int(port) > 65535:
            raise ValueError(f"expected an address like :9443, 127.0.0.1:9443 or [::1]:9443, got {_shown(text)}")
        return cls(text)

    @property
    def host(self) -> str:
        """The host without brackets; "" for all addresses."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port, 0 to 65535."""
        return int(self.rpartition(":")[2])


class Pattern(str):
    """A regular expression, not anchored."""

    @classmethod
    def read(cls, text: object) -> Pattern:
        """Check that the text compiles and keep it."""
        if not isinstance(text, str):
            raise ValueError(f"expected a regular expression, got {_shown(text)}")
        compile_pattern(text)
        return cls(text)


class Block(str):
    """The text of a block of YAML that is read by other code; a file may have the block itself."""

    @classmethod
    def read(cls, value: object) -> Block:
        """Keep a text; turn a block into its text."""
        if isinstance(value, str):
            return cls(value)
        if isinstance(value, (list, dict)):
            return cls(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
        raise ValueError(f"expected a block, or its text, got {_shown(value)}")


READERS: Mapping[type, Callable[[object], Any]] = {kind: kind.read for kind in (Duration, Lifetime, Size, ListenAddress, Pattern, Block)}
"""Parser by type."""
