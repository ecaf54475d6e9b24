"""Keys of Kubernetes labels and annotations: which of them an allowlist lets pass, and the label names they become."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

Pairs = list[tuple[str, str]]

_HUMP = re.compile("([a-z0-9])([A-Z])")
_SANITIZE = re.compile("[^a-zA-Z0-9_]")


def sanitize(name: str) -> str:
    """What a label name cannot carry becomes `_`."""
    return _SANITIZE.sub("_", name)


def key_filter(keys: Sequence[str]) -> Callable[[str], bool]:
    """Which keys an allowlist lets pass: `*` in first place all of them; else names, each with at most one `*` inside.

    Raises:
        ValueError: a name has more than one `*`.
    """
    if keys[0] == "*":
        return lambda key: True
    patterns = []
    for name in keys:
        if name.count("*") > 1:
            raise ValueError(f"{name}: at most one * is allowed")
        if name != "*":
            patterns.append(".*".join(re.escape(part) for part in name.split("*")))
    allowed = re.compile("|".join(patterns) or "(?!)", re.DOTALL).fullmatch
    return lru_cache(maxsize=4096)(lambda key: allowed(key) is not None)


def label_pairs(values: Mapping[str, str], prefix: str) -> Pairs:
    """(label name, value) of each key, in the order of the keys.

    Keys that become the same label name are told apart: the first becomes `_conflict1`, the next `_conflict2` and so
    on; a suffix that another label has already is passed over. Such a name may meet a key that becomes the same: both are told
    apart as well, and the name is free again.
    """
    names = [(label_name(key, prefix), value or "") for key, value in sorted(values.items())]
    if len({name for name, _ in names}) == len(names):
        return names
    return _tell_apart(names)


def _tell_apart(names: Pairs) -> Pairs:
    told: Pairs = []
    firsts: dict[str, int] = {}
    counts: Counter[str] = Counter()

    def next_name(base: str) -> str:
        while True:
            counts[base] += 1
            name = f"{base}_conflict{counts[base]}"
            if name not in firsts:
                return name

    for base, value in names:
        name = base
        if base in firsts or counts[base]:
            if not counts[base]:
                first = firsts.pop(base)
                renamed = next_name(base)
                told[first] = (renamed, told[first][1])
                firsts[renamed] = first
            name = next_name(base)
        firsts[name] = len(told)
        told.append((name, value))
    return told


@lru_cache(maxsize=16384)
def label_name(key: str, prefix: str) -> str:
    """The label name of a key: `app.kubernetes.io/partOf` becomes `label_app_kubernetes_io_part_of`."""
    return prefix + _HUMP.sub(r"\1_\2", sanitize(key)).lower()
