"""Optional labels of every container_* series: allowlisted labels and annotations of the pod, labels of its namespace, and its
workload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from telegen.cadvisor.identity.pods import KeyFilter, NamespaceIndex, Pod, PodIndex
from telegen.config.model import Cadvisor
from telegen.metrics.label_keys import key_filter, label_pairs

MAX_NAMES = 256
"""Maximum number of labels from each allowlist. Wildcards match whatever keys exist, and every label is on every series."""

WORKLOAD = ("workload", "workload_kind")


def allowlist_filter(allowlist: Sequence[str]) -> KeyFilter:
    """Return the filter of an allowlist (see `label_keys.key_filter`); an empty one rejects every key."""
    return key_filter(allowlist) if allowlist else lambda key: False


class ExtraLabels:
    """Names and values of the optional labels.

    All series have the same label names. Keys without a wildcard are present from the start; a key that matches a wildcard is
    added when it is first seen, and stays.

    Attributes:
        names: label names; a different tuple after a label has been added.
    """

    def __init__(self, settings: Cadvisor) -> None:
        self._labels = _Group("label_", settings.pod_labels)
        self._annotations = _Group("annotation_", settings.pod_annotations)
        self._namespace = _Group("namespace_label_", settings.namespace_labels)
        self._workload = WORKLOAD if settings.workload else ()
        self.names = self._all_names()

    def add_keys(self, pods: PodIndex, namespaces: NamespaceIndex) -> None:
        """Add the keys that have not been seen before."""
        added = [
            self._labels.add_keys(pods.label_keys()),
            self._annotations.add_keys(pods.annotation_keys()),
            self._namespace.add_keys(namespaces.keys()),
        ]
        if any(added):
            self.names = self._all_names()

    def values(self, pod: Optional[Pod], namespace: Mapping[str, str]) -> tuple[str, ...]:
        """Return a value for each of `names`, "" if unknown.

        Args:
            pod: the cgroup's pod, None if unknown.
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
class _Group:
    """Labels made from one allowlist.

    Attributes:
        prefix: prefix of the label names.
        allowlist: keys, with at most one wildcard `*` each.
    """

    prefix: str
    allowlist: Sequence[str]

    def __post_init__(self) -> None:
        self._keys: list[str] = []
        self.names: list[str] = []
        self.add_keys(key for key in self.allowlist if "*" not in key)

    def add_keys(self, keys: Iterable[str]) -> bool:
        """Add new keys; return True if there were any."""
        fresh = sorted({*keys}.difference(self._keys))[: MAX_NAMES - len(self._keys)]
        if not fresh:
            return False
        self._keys = sorted([*self._keys, *fresh])
        # Keys that become the same name get a suffix over all keys, so that a name means one key on all series.
        self.names = [name for name, _ in label_pairs(dict.fromkeys(self._keys, ""), self.prefix)]
        return True

    def values(self, known: Mapping[str, str]) -> list[str]:
        """Return a value for each of `names`."""
        return [known.get(key, "") for key in self._keys]
