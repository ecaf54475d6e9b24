"""Which families are shown, and which labels and annotations in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from telegen.config.model import KubeState
from telegen.kubestate.fields import at
from telegen.kubestate.quantity import sanitize
from telegen.kubestate.resource import Resource
from telegen.metrics.family import FamilyGenerator, Object, Row

Pairs = list[tuple[str, str]]

_HUMP = re.compile("([a-z0-9])([A-Z])")


@dataclass(frozen=True)
class Selection:
    """What the configuration selects. Patterns are regular expressions, not anchored.

    Attributes:
        allow: families to keep; empty: all.
        deny: families to drop.
        opt_in: opt-in families to show.
        labels, annotations: keys shown, by resource; `*` as resource stands for all and makes the others void.
    """

    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    opt_in: Sequence[str] = ()
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    annotations: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, state: KubeState) -> Selection:
        """From the configuration."""
        return cls(
            state.metric_allowlist, state.metric_denylist, state.metric_opt_in_list, state.labels_allowlist, state.annotations_allowlist
        )


def prepare(resource: Resource, selection: Selection) -> tuple[FamilyGenerator, ...]:
    """The families of a resource that are to be rendered, with the generate functions that the configuration decides."""
    return tuple(
        _with_metadata(family, resource.name, selection) if family.selects else family
        for family in resource.families
        if _is_shown(family, selection)
    )


def _is_shown(family: FamilyGenerator, selection: Selection) -> bool:
    """Whether the filters let a family pass."""

    def matches(patterns: Sequence[str]) -> bool:
        return any(re.search(pattern, family.name) for pattern in patterns)

    if family.opt_in and not matches(selection.opt_in):
        return False
    return not matches(selection.deny) and (not selection.allow or matches(selection.allow))


def _with_metadata(family: FamilyGenerator, resource: str, selection: Selection) -> FamilyGenerator:
    """A labels or annotations family that shows what the configuration allows."""
    allowlist = selection.labels if family.selects == "labels" else selection.annotations
    keys = allowlist.get("*", allowlist.get(resource, ()))
    if not keys:
        return family
    read = at(f"metadata.{family.selects}", {})
    prefix = "label_" if family.selects == "labels" else "annotation_"
    wanted = key_filter(keys)

    def generate(obj: Object) -> Iterable[Row]:
        return [(label_pairs({key: value for key, value in read(obj).items() if wanted(key)}, prefix), 1)]

    return replace(family, generate=generate)


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
    """(label name, value) of each key. Keys that become the same label name are told apart as `_conflict1`, `_conflict2` and so on,
    in the order of the keys."""
    names = [(label_name(key, prefix), value or "") for key, value in sorted(values.items())]
    counts = Counter(name for name, _ in names)
    if len(counts) == len(names):
        return names
    return _tell_apart(names, counts)


def _tell_apart(names: Pairs, counts: Mapping[str, int]) -> Pairs:
    taken = set(counts)
    used: Counter[str] = Counter()
    pairs = []
    for name, value in names:
        unique = name
        if counts[name] > 1:
            while True:
                used[name] += 1
                unique = f"{name}_conflict{used[name]}"
                if unique not in taken:
                    break
            taken.add(unique)
        pairs.append((unique, value))
    return pairs


@lru_cache(maxsize=16384)
def label_name(key: str, prefix: str) -> str:
    """The label name of a key: `app.kubernetes.io/partOf` becomes `label_app_kubernetes_io_part_of`."""
    return prefix + _HUMP.sub(r"\1_\2", sanitize(key)).lower()
