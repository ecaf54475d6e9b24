"""Types of settings that YAML does not have: durations, sizes, addresses, patterns. Each parses text or raises ValueError."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from telegen.config.patterns import compile_pattern

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"(\d+)\s*([KMGT]i?)?B?")
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


class Duration(float):
    """Seconds; written as in Go: `10s`, `1m30s`, `100ms`."""

    @classmethod
    def read(cls, text: object) -> Duration:
        """Parse `1m30s`."""
        if isinstance(text, str):
            # findall skips what does not match, so the parts must add up to the whole text.
            parts = _DURATION.findall(text)
            if parts and "".join(number + unit for number, unit in parts) == text:
                return cls(sum(float(number) * _SECONDS[unit] for number, unit in parts))
        raise ValueError(f"expected a duration like 10s or 1m30s, got {text!r}")

    def __str__(self) -> str:
        for unit in ("h", "m", "s"):
            if self and self % _SECONDS[unit] == 0:
                return f"{int(self / _SECONDS[unit])}{unit}"
        return f"{round(self * 1000)}ms"


class Size(int):
    """Bytes; written with a unit: `512MiB`, `4Gi`, or as a plain number."""

    @classmethod
    def read(cls, text: object) -> Size:
        """Parse `512MiB` or a number of bytes."""
        # bool is a subclass of int, and YAML has both.
        if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
            return cls(text)
        found = _SIZE.fullmatch(text) if isinstance(text, str) else None
        if not found:
            raise ValueError(f"expected a size like 512MiB, got {text!r}")
        return cls(int(found[1]) * _FACTORS[found[2]])

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
        if not colon or not port.isdecimal() or int(port) > 65535 or (":" in host and not bracketed):
            raise ValueError(f"expected an address like :9443, 127.0.0.1:9443 or [::1]:9443, got {text!r}")
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
            raise ValueError(f"expected a regular expression, got {text!r}")
        compile_pattern(text)
        return cls(text)


READERS: Mapping[type, Callable[[object], Any]] = {kind: kind.read for kind in (Duration, Size, ListenAddress, Pattern)}
"""Parser by type."""
