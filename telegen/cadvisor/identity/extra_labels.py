"""Optional labels of every container_* series: allowlisted labels and annotations of the pod, labels of its namespace, and its
workload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from telegen.cadvisor.identity.oci import Bundle
from telegen.cadvisor.identity.pods import KeyFilter, NamespaceIndex, Pod, PodIndex
from telegen.config.model import Cadvisor
from telegen.metrics.label_keys import LabelName, key_filter, label_name, label_pairs, sanitize

MAX_NAMES = 256
"""Maximum number of labels from each allowlist. Wildcards match whatever keys exist, and every label is on every series."""

WORKLOAD = ("workload", "workload_kind")


def allowlist_filter(allowlist: Sequence[str]) -> KeyFilter:
    """Return the filter of an allowlist (see `label_keys.key_filter`); an empty one rejects every key."""
    return key_filter(allowlist) if allowlist else lambda key: False


def _container_label(key: str, prefix: str) -> str:
    """cAdvisor's label name: unlike kube-state-metrics it keeps capital letters."""
    return prefix + sanitize(key)


def _container_env(key: str, prefix: str) -> str:
    return prefix + sanitize(key).lower()


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
        self._container = _Group("container_label_", settings.container_labels, _container_label)
        self._env = _Group("container_env_", settings.container_env, _container_env)
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

    def add_container_keys(self, bundles: Iterable[Bundle]) -> bool:
        """Add the keys of containers' labels and variables that have not been seen before; return True if there were any."""
        labels, variables = set[str](), set[str]()
        for bundle in bundles:
            labels.update(bundle.labels)
            variables.update(bundle.env)
        added = [self._container.add_keys(labels), self._env.add_keys(variables)]
        if any(added):
            self.names = self._all_names()
        return any(added)

    def values(self, pod: Optional[Pod], namespace: Mapping[str, str], bundle: Bundle) -> tuple[str, ...]:
        """Return a value for each of `names`, "" if unknown.

        Args:
            pod: the cgroup's pod, None if unknown.
            namespace: labels of its namespace.
            bundle: what the container's runtime knows.
        """
        return (
            *self._labels.values(pod.labels if pod else {}),
            *self._annotations.values(pod.annotations if pod else {}),
            *self._namespace.values(namespace),
            *((pod.workload if pod else ("", "")) if self._workload else ()),
            *self._container.values(bundle.labels),
            *self._env.values(bundle.env),
        )

    def _all_names(self) -> tuple[str, ...]:
        of_pod = (*self._labels.names, *self._annotations.names, *self._namespace.names, *self._workload)
        return (*of_pod, *self._container.names, *self._env.names)


@dataclass
class _Group:
    """Labels made from one allowlist.

    Attributes:
        prefix: prefix of the label names.
        allowlist: keys, with at most one wildcard `*` each.
        make_name: label name of a key.
    """

    prefix: str
    allowlist: Sequence[str]
    make_name: LabelName = label_name

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
        self.names = [name for name, _ in label_pairs(dict.fromkeys(self._keys, ""), self.prefix, self.make_name)]
        return True

    def values(self, known: Mapping[str, str]) -> list[str]:
        """Return a value for each of `names`."""
        return [known.get(key, "") for key in self._keys]
