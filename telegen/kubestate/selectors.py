"""Which families are shown, and which labels and annotations in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from telegen.config.model import KubeState
from telegen.config.patterns import compile_pattern
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
            state.metric_allowlist,
            state.metric_denylist,
            state.metric_opt_in_list,
            state.labels_allowlist,
            state.annotations_allowlist,
        )


def prepare(resource: Resource, selection: Selection) -> tuple[FamilyGenerator, ...]:
    """The families of a resource that are to be rendered, with the generate functions that the configuration
    decides."""
    return tuple(
        _with_metadata(family, resource.name, selection) if family.selects else family
        for family in resource.families
        if _is_shown(family, selection)
    )


def _is_shown(family: FamilyGenerator, selection: Selection) -> bool:
    """Whether the filters let a family pass."""

    def matches(patterns: Sequence[str]) -> bool:
        return any(compile_pattern(pattern).search(family.name) for pattern in patterns)

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
    """(label name, value) of each key, in the order of the keys.

    Keys that become the same label name are told apart: the first becomes `_conflict1`, the next `_conflict2` and so
    on; a suffix that another label has already is passed over.
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
        if base in firsts:
            if not counts[base]:
                first = firsts[base]
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
