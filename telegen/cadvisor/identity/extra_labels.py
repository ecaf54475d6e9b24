"""Optional labels on every container_* series: allowlisted labels and annotations of its pod, labels of its namespace,
and its workload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from telegen.cadvisor.identity.pods import NamespaceIndex, Pod, PodIndex, Wanted
from telegen.config.model import Cadvisor
from telegen.metrics.label_keys import key_filter, label_pairs

MAX_NAMES = 256
"""Labels of each kind at the most: wildcards take what they find, and it stands on every series."""

WORKLOAD = ("workload", "workload_kind")


def wanted(allowlist: Sequence[str]) -> Wanted:
    """Which keys an allowlist lets pass (see `keys.key_filter`); an empty one none."""
    return key_filter(allowlist) if allowlist else lambda key: False


class Stamps:
    """Names and values of the optional labels.

    All series have the same names. Those of keys that the allowlists spell out are there from the beginning; those that
    wildcards let pass are added when they are first seen, and stay.
    """

    def __init__(self, settings: Cadvisor) -> None:
        """Begin with what the settings spell out."""
        self._labels = _Kind("label_", settings.pod_labels)
        self._annotations = _Kind("annotation_", settings.pod_annotations)
        self._namespace = _Kind("namespace_label_", settings.namespace_labels)
        self._workload = WORKLOAD if settings.workload else ()
        self.names = self._all_names()
        """Names of the labels; replaced by another tuple when there are more."""

    def learn(self, pods: PodIndex, namespaces: NamespaceIndex) -> None:
        """Add the labels of keys that have not been seen before."""
        added = [
            self._labels.learn(pods.label_keys()),
            self._annotations.learn(pods.annotation_keys()),
            self._namespace.learn(namespaces.keys()),
        ]
        if any(added):
            self.names = self._all_names()

    def values(self, pod: Optional[Pod], namespace: Mapping[str, str]) -> tuple[str, ...]:
        """A value for each name, "" for what is not known.

        Args:
            pod: to which the cgroup belongs, None when it is not known.
            namespace: labels of its namespace.
        """
        return (
            *self._labels.values(pod.labels if pod else {}),
            *self._annotations.values(pod.annotations if pod else {}),
            *self._namespace.values(namespace),
            *((pod.workload if pod else ("", "")) if self._workload else ()),
        )

    def _all_names(self) -> tuple[str, ...]:
        return (*self._labels.names, *self._annotations.names, *self._namespace.names, *self._workload)


@dataclass
class _Kind:
    """Labels that are made from one kind of keys.

    Attributes:
        prefix: of their names.
        allowlist: names of keys; what has a `*` in it is a wildcard.
    """

    prefix: str
    allowlist: Sequence[str]

    def __post_init__(self) -> None:
        self._keys: list[str] = []
        self.names: list[str] = []
        self.learn(key for key in self.allowlist if "*" not in key)

    def learn(self, keys: Iterable[str]) -> bool:
        """Whether there are keys among these that are new. Names that would be the same are told apart over all keys, so
        that none changes its meaning from series to series."""
        fresh = sorted({*keys}.difference(self._keys))[: MAX_NAMES - len(self._keys)]
        if not fresh:
            return False
        self._keys = sorted([*self._keys, *fresh])
        self.names = [name for name, _ in label_pairs(dict.fromkeys(self._keys, ""), self.prefix)]
        return True

    def values(self, known: Mapping[str, str]) -> list[str]:
        """A value for each name."""
        return [known.get(key, "") for key in self._keys]
