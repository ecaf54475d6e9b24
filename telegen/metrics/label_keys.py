"""Keys of Kubernetes labels and annotations: allowlists of keys, and the Prometheus label names made of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

Pairs = list[tuple[str, str]]

LabelName = Callable[[str, str], str]
"""From (key, prefix) to a label name."""

_HUMP = re.compile("([a-z0-9])([A-Z])")
_SANITIZE = re.compile("[^a-zA-Z0-9_]")


def sanitize(name: str) -> str:
    """Replace characters that a label name cannot have by `_`."""
    return _SANITIZE.sub("_", name)


def key_filter(keys: Sequence[str]) -> Callable[[str], bool]:
    """Make the filter of an allowlist: `*` as first entry allows every key; else entries are keys with at most one `*` each.

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
            # Not fnmatch: ? and [ have no special meaning in an allowlist.
            patterns.append(".*".join(re.escape(part) for part in name.split("*")))
    allowed = re.compile("|".join(patterns) or "(?!)", re.DOTALL).fullmatch
    # The same few keys occur in all objects of a resource.
    return lru_cache(maxsize=4096)(lambda key: allowed(key) is not None)


def label_pairs(values: Mapping[str, str], prefix: str, make_name: LabelName | None = None) -> Pairs:
    """Return (label name, value) of each key, in the order of the keys.

    Keys that become the same label name get suffixes: `_conflict1`, `_conflict2` and so on, as kube-state-metrics names them.
    A suffixed name that another label has already is skipped. If a later key becomes a name that a suffix made, both get
    further suffixes, and the name is free again.

    Args:
        make_name: label name of a key; by default `label_name`.
    """
    name = make_name or label_name
    names = [(name(key, prefix), value or "") for key, value in sorted(values.items())]
    if len({name for name, _ in names}) == len(names):
        return names
    return _with_suffixes(names)


def _with_suffixes(names: Pairs) -> Pairs:
    result: Pairs = []
    # Index in `result` of each name in use. A base leaves `firsts` when its first label is renamed; its count stays.
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
                # The second label of this name: the first one gets a suffix now, too.
                first = firsts.pop(base)
                renamed = next_name(base)
                result[first] = (renamed, result[first][1])
                firsts[renamed] = first
            name = next_name(base)
        firsts[name] = len(result)
        result.append((name, value))
    return result


@lru_cache(maxsize=16384)
def label_name(key: str, prefix: str) -> str:
    """Return the label name of a key: `app.kubernetes.io/partOf` becomes `label_app_kubernetes_io_part_of`."""
    return prefix + _HUMP.sub(r"\1_\2", sanitize(key)).lower()
