"""Paths as texts: `status.conditions[type=Ready].status` for the segments status, conditions, [type=Ready], status."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Union

from telegen.kubestate.custom.model import Path

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_PART = re.compile(r"(?:^|(?<!^)\.)([A-Za-z_][A-Za-z0-9_-]*)|\[([^\[\]]*)\]", re.ASCII)


def read_path(written: Union[str, Sequence[str]]) -> Path:
    """Return the segments of a path.

    Raises:
        ValueError: the text is no path.
    """
    if not isinstance(written, str):
        return tuple(written)
    segments, end = [], 0
    for part in _PART.finditer(written):
        if part.start() != end:
            break
        name, bracket = part.groups()
        # A name is a key; brackets have a condition, an index, or a key that is no name.
        segments.append(name or (f"[{bracket}]" if "=" in bracket else bracket))
        end = part.end()
    if end != len(written) or not written:
        raise ValueError(f"{written[:100]!r} is not a path; write names with dots, such as status.conditions[type=Ready].status, or a list")
    return tuple(segments)


def write_path(path: Path) -> Union[str, list[str]]:
    """Return a path as a text, or as a list of segments if it has no text."""
    text = ""
    for segment in path:
        if _NAME.fullmatch(segment):
            text += f".{segment}" if text else segment
        else:
            inner = segment[1:-1] if segment.startswith("[") and segment.endswith("]") and "=" in segment else segment
            text += f"[{inner}]"
    try:
        return text if read_path(text) == path else list(path)
    except ValueError:
        return list(path)
