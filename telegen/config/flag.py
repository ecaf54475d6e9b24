"""Flags of other programs, each mapped to a setting or to the reason why it has none, and readers of their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telegen.config.types import ListenAddress

FlagValues = Mapping[str, Sequence[str]]
"""Flags of a command line: name without dashes → its values, in order, one per occurrence."""

Read = Callable[[Any, Sequence[str]], Any]
"""Function of (the setting's value before or None, the flag's values) that returns the setting's value as YAML would have
it. Raises ValueError."""

_TRUE, FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("", "0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True)
class Flag:
    """One flag. Exactly one of `key`, `ignored` and `refused` is set.

    Attributes:
        name: without dashes.
        key: path of the setting.
        read: converts the flag's values.
        ignored: the reason why the flag has no effect; logged at the start.
        refused: the reason why the flag is not supported, and the remedy; an error, unless the value switches the flag off.
        switch: may be used without a value.
        file_key: name in the configuration file of kube-state-metrics, if it differs.
        aliases: other spellings, with their dashes.
    """

    name: str
    key: str = ""
    read: Read | None = None
    ignored: str = ""
    refused: str = ""
    switch: bool = False
    file_key: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def help(self) -> str:
        """Effect of the flag, for --help and messages."""
        return self.key or (f"no effect: {self.ignored}" if self.ignored else f"refused: {self.refused}")


def last(current: Any, texts: Sequence[str]) -> str:
    return texts[-1]


def number(current: Any, texts: Sequence[str]) -> int:
    try:
        return int(texts[-1])
    except ValueError as error:
        raise ValueError(f"expected a whole number, got {texts[-1]!r}") from error


def read_switch(text: str) -> bool:
    """Parse a boolean as Go's flag package does. Raises ValueError."""
    if text in _TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError(f"expected true or false, got {text!r}")


def switch(current: Any, texts: Sequence[str]) -> bool:
    return read_switch(texts[-1])


def host_of(current: Any, texts: Sequence[str]) -> str:
    host = texts[-1].strip("[]")
    shown = "" if host in ("", "::") else f"[{host}]" if ":" in host else host
    return f"{shown}:{_address(current).port}"


def port_of(current: Any, texts: Sequence[str]) -> str:
    host = _address(current).host
    return f"[{host}]:{number(None, texts)}" if ":" in host else f"{host}:{number(None, texts)}"


def _address(current: Any) -> ListenAddress:
    return ListenAddress.read(current)


def verbosity(current: Any, texts: Sequence[str]) -> str:
    return "debug" if number(None, texts) >= 4 else "info"
