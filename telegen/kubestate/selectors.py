"""Selection of families by the configuration, and of the labels and annotations in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from telegen.config.model import KubeState
from telegen.config.patterns import compile_pattern
from telegen.kubestate.fields import at
from telegen.kubestate.resource import Resource
from telegen.metrics.family import FamilyGenerator, Object, Row
from telegen.metrics.label_keys import key_filter, label_pairs


@dataclass(frozen=True)
class Selection:
    """Families and metadata that the configuration selects. Patterns are regular expressions, not anchored.

    Attributes:
        allow: families to keep; empty: all.
        deny: families to drop.
        opt_in: opt-in families to show.
        labels, annotations: allowed keys by resource. The entry of the resource `*` replaces all others.
    """

    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    opt_in: Sequence[str] = ()
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    annotations: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, state: KubeState) -> Selection:
        return cls(
            state.metric_allowlist,
            state.metric_denylist,
            state.metric_opt_in_list,
            state.labels_allowlist,
            state.annotations_allowlist,
        )


def selected_families(resource: Resource, selection: Selection) -> tuple[FamilyGenerator, ...]:
    """Return the families of a resource that the configuration selects, with the allowlists applied."""
    return tuple(
        _with_metadata(family, resource, selection) if family.selects else family
        for family in resource.families
        if _is_shown(family, selection)
    )


def _is_shown(family: FamilyGenerator, selection: Selection) -> bool:
    def matches(patterns: Sequence[str]) -> bool:
        return any(compile_pattern(pattern).search(family.name) for pattern in patterns)

    # An allowlist alone does not show an opt-in family.
    if family.opt_in and not matches(selection.opt_in):
        return False
    return not matches(selection.deny) and (not selection.allow or matches(selection.allow))


def _with_metadata(family: FamilyGenerator, resource: Resource, selection: Selection) -> FamilyGenerator:
    """Return a labels or annotations family with a generate function that exposes the allowed keys."""
    allowlist = selection.labels if family.selects == "labels" else selection.annotations
    # The entry `*` comes first: kube-state-metrics ignores the others, too.
    # Kinds of several groups may have one plural: the name with the group counts before the plural.
    keys = allowlist.get("*", allowlist.get(resource.full_name, allowlist.get(resource.name, ())))
    # No allowlist: no samples. An allowlist that matches no key gives one sample without such labels.
    if not keys:
        return family
    read = at(f"metadata.{family.selects}", {})
    prefix = "label_" if family.selects == "labels" else "annotation_"
    is_allowed = key_filter(keys)

    def generate(obj: Object) -> Iterable[Row]:
        return [(label_pairs({key: value for key, value in read(obj).items() if is_allowed(key)}, prefix), 1)]

    return replace(family, generate=generate)
