"""Families of packs in the terms of the format of kube-state-metrics, for products whose users have them from such a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from telegen.kubestate.custom.model import Family
from telegen.kubestate.packs.specs import Path, segments

GVK_LABELS = ("customresource_group", "customresource_version", "customresource_kind")
"""Labels of every sample of such a family."""


@dataclass(frozen=True)
class Describing:
    """Makes the families of one kind.

    Attributes:
        prefix: of their names.
        labels: labels of every sample, read from the object. An absent one is left out.
    """

    prefix: str
    labels: Mapping[str, Path] = field(default_factory=dict)

    def gauge(self, name: str, help: str, path: Path, value: Path = (), /, zero: bool = False, **labels: Path) -> Family:
        """Make the family of the number at a path, or at `value` of each element there.

        Args:
            zero: count what is absent as 0.
            labels: of the element.
        """
        full = f"{help} ({'.'.join(segments(path))})."
        return Family(
            f"{self.prefix}_{name}", full, "gauge", segments(path), value_from=segments(value) if value else (), nil_is_zero=zero,
            labels_from_path=_paths(self.labels), element_labels=_paths(labels),
        )

    def info(self, name: str, help: str, path: Path = (), /, **labels: Path) -> Family:
        """Make the family of labels of the object, or of each element at a path. Without any of them there is no sample."""
        full = f"{help}, always 1 ({'.'.join(segments(path)) if path else 'metadata, spec, status'})."
        return Family(
            f"{self.prefix}_{name}", full, "info", segments(path) if path else (),
            labels_from_path=_paths(self.labels), element_labels=_paths(labels),
        )

    def states(
        self, name: str, help: str, path: Path, label: str, words: tuple[str, ...], value: Path = (), /, **labels: Path
    ) -> Family:
        """Make the family of a state: 1 for the current word, 0 for the others."""
        full = f"{help}: 1 for the current one, 0 for the others ({'.'.join(segments(path))})."
        return Family(
            f"{self.prefix}_{name}", full, "stateset", segments(path), value_from=segments(value) if value else (), label_name=label,
            states=words, labels_from_path=_paths(self.labels), element_labels=_paths(labels),
        )


def _paths(labels: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    return {name: segments(path) if path else () for name, path in labels.items()}
