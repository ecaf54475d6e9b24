"""What each cgroup is called, from both sources: the files of the runtime, and the node's pods by the API.

Labels are the kubelet's (BASE). On the pod's own cgroup container, image and name are empty; on its sandbox, container is
empty for containerd, and POD for CRI-O and Docker. What one source does not know yet, the other may; what is learnt later
is put in, and what was known once stays as long as the cgroup does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Optional

from telegen.cadvisor.cgroups.discovery import Cgroup
from telegen.cadvisor.identity.bundles import Bundles
from telegen.cadvisor.identity.extra_labels import Stamps, wanted
from telegen.cadvisor.identity.labels import BASE
from telegen.cadvisor.identity.oci import CONTAINERD, CRIO, DOCKER, SANDBOX, Bundle
from telegen.cadvisor.identity.pods import Container, NamespaceIndex, Pod, PodIndex
from telegen.config.model import Cadvisor

_NOTHING = Bundle("", "")
_NAMED = (CRIO, DOCKER)
"""Runtimes that call containers by names, and sandboxes POD."""


class Names:
    """Gives labels to cgroups. Not safe for threads, but for the indexes, which others may fill."""

    def __init__(self, bundles: Bundles, pods: PodIndex, namespaces: NamespaceIndex, stamps: Stamps) -> None:
        """Know nothing yet.

        Args:
            bundles: what runtimes know.
            pods, namespaces: what the API knows; they may stay empty.
            stamps: the optional labels.
        """
        self._bundles, self.pods, self.namespaces, self._stamps = bundles, pods, namespaces, stamps
        self._entries: dict[str, _Entry] = {}
        self._by_uid: dict[str, Bundle] = {}
        self._state: tuple[int, int] = (-1, -1)
        self.names: tuple[str, ...] = (*BASE, *stamps.names)

    @property
    def errors(self) -> Counter[str]:
        """What went wrong with runtimes' files, by reason."""
        return self._bundles.errors

    def begin(self, cgroups: Iterable[Cgroup]) -> None:
        """A new pass over these cgroups: look for names that are missing, take over what has changed, forget what has
        ended. `names` may be another tuple afterwards; then all values are as well."""
        # PERF: 0.6 us for a cgroup of which nothing is new; 3 us after a change of any pod.
        state = (self.pods.revision, self.namespaces.revision)
        changed = state != self._state
        if changed:
            self._stamps.learn(self.pods, self.namespaces)
            if len(self._stamps.names) + len(BASE) != len(self.names):
                self.names = (*BASE, *self._stamps.names)
            self._state = state
        before, self._entries, others = self._entries, {}, []
        for cgroup in cgroups:
            entry = before.get(cgroup.id)
            if entry is None or entry.cgroup != cgroup:
                entry = _Entry(cgroup)
            self._entries[cgroup.id] = entry
            if cgroup.kind != "container":
                others.append(entry)
            elif self._find_bundle(entry) or changed or not entry.values:
                self._fill(entry)
        self._settle(others, changed)

    def labels(self, cgroup: Cgroup) -> tuple[str, ...]:
        """A value for each of `names`; the same tuple as long as nothing has changed."""
        entry = self._entries.get(cgroup.id)
        if entry is None:
            entry = self._entries[cgroup.id] = _Entry(cgroup)
            self._find_bundle(entry)
            self._fill(entry)
        return entry.values

    def is_sandbox(self, cgroup: Cgroup) -> bool:
        """Whether a container is known to be its pod's sandbox, which holds the pod's network."""
        entry = self._entries.get(cgroup.id)
        return entry is not None and entry.is_sandbox

    def host_network(self, cgroup: Cgroup) -> bool:
        """Whether a container or pod is known to have the node's network."""
        entry = self._entries.get(cgroup.id)
        if entry is None:
            return False
        if entry.pod:
            return entry.pod.host_network
        return bool(self._by_uid.get(cgroup.pod_uid, entry.bundle).host_network)

    @property
    def unknown(self) -> int:
        """Containers of which neither source knows anything."""
        return sum(
            entry.cgroup.kind == "container" and entry.bundle is _NOTHING and entry.pod is None
            for entry in self._entries.values()
        )

    def _settle(self, others: list[_Entry], changed: bool) -> None:
        """What is no container comes last: pods have the names that their containers' bundles tell."""
        uids = {entry.cgroup.pod_uid for entry in others}
        self._by_uid = {uid: bundle for uid, bundle in self._by_uid.items() if uid in uids}
        for entry in others:
            bundle = self._by_uid.get(entry.cgroup.pod_uid, _NOTHING) if entry.cgroup.pod_uid else _NOTHING
            if changed or not entry.values or (entry.bundle is _NOTHING and bundle is not _NOTHING):
                entry.bundle = bundle
                self._fill(entry)
        self._bundles.keep({entry.cgroup.container_id for entry in self._entries.values()})

    def _find_bundle(self, entry: _Entry) -> bool:
        """Whether the runtime's file was found just now."""
        if entry.bundle is not _NOTHING or not entry.cgroup.container_id:
            return False
        found = self._bundles.find(entry.cgroup.container_id)
        if found is None:
            return False
        entry.bundle = found
        uid = entry.cgroup.pod_uid
        if uid and (found.is_sandbox or (found.pod and uid not in self._by_uid)):
            self._by_uid[uid] = found
        return True

    def _fill(self, entry: _Entry) -> None:
        """Work out the labels of a cgroup from what is known of it now."""
        cgroup, bundle = entry.cgroup, entry.bundle
        entry.pod = pod = self._pod(cgroup, bundle) or entry.pod
        known = pod.containers.get(cgroup.container_id) if pod and cgroup.container_id else None
        entry.container = known or entry.container
        namespace = bundle.namespace or (pod.namespace if pod else "")
        container = image = name = ""
        if cgroup.kind == "container":
            entry.is_sandbox = _is_sandbox(bundle, pod, entry.container)
            container, image, name = _container(cgroup, bundle, pod, entry.container, entry.is_sandbox)
        stamps = self._stamps.values(pod, self.namespaces.labels(namespace) if namespace else {})
        pod_name = bundle.pod or (pod.name if pod else "")
        values = (container, cgroup.id, image, name, namespace, pod_name, *stamps)
        if values != entry.values:
            entry.values = values

    def _pod(self, cgroup: Cgroup, bundle: Bundle) -> Optional[Pod]:
        """The pod of a cgroup as the API has it. The container's id tells best: it is never given twice."""
        found = self.pods.of_container(cgroup.container_id) if cgroup.container_id else None
        for uid in (cgroup.pod_uid, bundle.pod_uid):
            found = found or (self.pods.of_uid(uid) if uid else None)
        return found


class _Entry:
    """What is known of one cgroup."""

    __slots__ = ("cgroup", "bundle", "pod", "container", "is_sandbox", "values")

    def __init__(self, cgroup: Cgroup) -> None:
        self.cgroup = cgroup
        self.bundle = _NOTHING
        self.pod: Optional[Pod] = None
        self.container: Optional[Container] = None
        self.is_sandbox = False
        self.values: tuple[str, ...] = ()


def make_names(settings: Cadvisor) -> Names:
    """Names by the settings; its indexes are empty as long as nobody fills them."""
    pods = PodIndex(wanted(settings.pod_labels), wanted(settings.pod_annotations))
    namespaces = NamespaceIndex(wanted(settings.namespace_labels))
    return Names(Bundles(settings.root), pods, namespaces, Stamps(settings))


def _is_sandbox(bundle: Bundle, pod: Optional[Pod], container: Optional[Container]) -> bool:
    """The runtime's file says so. Without it, it is what runs in a pod besides all of the pod's containers."""
    if bundle is not _NOTHING:
        return bundle.is_sandbox
    return pod is not None and container is None and pod.complete


def _container(
    cgroup: Cgroup, bundle: Bundle, pod: Optional[Pod], known: Optional[Container], is_sandbox: bool
) -> tuple[str, str, str]:
    """The labels container, image and name of a container."""
    runtime = bundle.runtime or (pod.runtime if pod else "") or CONTAINERD
    container = bundle.container or (known.name if known else "")
    if is_sandbox:
        container = SANDBOX if runtime in _NAMED else ""
    images = [bundle.image, known.image if known else ""]
    # A digest names an image that nobody knows by that name; take it only when there is no other.
    image = next((one for one in images if one and not one.startswith("sha256:")), images[0] or images[1])
    name = bundle.name
    if not name and runtime in _NAMED and pod and (container or is_sandbox):
        name = pod.full_name(container, known.run if known else 0)
    return container, image, name or cgroup.container_id
