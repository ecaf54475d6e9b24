"""Resolver of a cgroup's labels from two sources: the files of the container runtime and the node's pods in the API.

Labels are the kubelet's (BASE). On a pod's own cgroup, container, image and name are empty. On its sandbox, container is empty
with containerd, and POD with CRI-O and Docker. Each source fills in what the other does not know. A value that has been known
stays as long as the cgroup exists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Optional

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.container_mounts import MountReader
from telegen.cadvisor.identity.bundles import Bundles
from telegen.cadvisor.identity.extra_labels import ExtraLabels, allowlist_filter
from telegen.cadvisor.identity.labels import BASE
from telegen.cadvisor.identity.oci import CONTAINERD, CRIO, DOCKER, ID_LENGTH, SANDBOX, Bundle
from telegen.cadvisor.identity.pods import Container, NamespaceIndex, Pod, PodIndex
from telegen.cadvisor.node import ContainerFacts, Roots, RuntimeState
from telegen.config.model import Cadvisor

_NO_BUNDLE = Bundle("", "")
_NAMING_RUNTIMES = (CRIO, DOCKER)
"""Runtimes that give containers full names, and sandboxes the container name POD."""


class LabelResolver(ContainerFacts):
    """A `LabelSource` with facts of containers. Not safe for threads, except that other threads may fill the indexes."""

    def __init__(self, bundles: Bundles, pods: PodIndex, namespaces: NamespaceIndex, extra: ExtraLabels) -> None:
        """Create a resolver.

        Args:
            pods, namespaces: indexes of API objects; they may stay empty.
            extra: the optional labels.
        """
        self._bundles, self.pods, self.namespaces, self._extra = bundles, pods, namespaces, extra
        self._entries: dict[str, _Entry] = {}
        self._by_uid: dict[str, Bundle] = {}
        self._revisions: tuple[int, int] = (-1, -1)
        self.names: tuple[str, ...] = (*BASE, *extra.names)

    @property
    def errors(self) -> Counter[str]:
        """Errors in the runtimes' files, by reason."""
        return self._bundles.errors

    def begin_pass(self, cgroups: Iterable[Cgroup]) -> None:
        """Resolve new cgroups, apply changes of pods and namespaces, drop ended cgroups.

        A change of `names` replaces all values as well.
        """
        # PERF: 0.6 us for a cgroup without changes; 3 us after a change of any pod.
        revisions = (self.pods.revision, self.namespaces.revision)
        has_changed = revisions != self._revisions
        if has_changed:
            self._extra.add_keys(self.pods, self.namespaces)
            if len(self._extra.names) + len(BASE) != len(self.names):
                self.names = (*BASE, *self._extra.names)
            self._revisions = revisions
        before, self._entries = self._entries, {}
        found: set[str] = set()
        for cgroup in cgroups:
            entry = before.get(cgroup.id)
            if entry is None or entry.cgroup != cgroup:
                entry = _Entry(cgroup)
            self._entries[cgroup.id] = entry
            if cgroup.kind == "container" and self._find_bundle(entry):
                found.add(cgroup.id)
        if found and self._extra.add_container_keys(self._entries[id].bundle for id in found):
            self.names = (*BASE, *self._extra.names)
            has_changed = True
        others = []
        for id, entry in self._entries.items():
            if entry.cgroup.kind != "container":
                others.append(entry)
            elif has_changed or not entry.values or id in found:
                self._resolve(entry)
        self._resolve_others(others, has_changed)

    def labels(self, cgroup: Cgroup) -> tuple[str, ...]:
        """Return a value for each of `names`; the identical tuple as long as no value has changed."""
        return self._entries[cgroup.id].values

    def is_sandbox(self, cgroup: Cgroup) -> bool:
        entry = self._entries.get(cgroup.id)
        return entry is not None and entry.is_sandbox

    def host_network(self, cgroup: Cgroup) -> bool:
        entry = self._entries.get(cgroup.id)
        if entry is None:
            return False
        if entry.pod:
            return entry.pod.host_network
        return bool(self._by_uid.get(cgroup.pod_uid, entry.bundle).host_network)

    def joins_network(self, cgroup: Cgroup) -> bool:
        entry = self._entries.get(cgroup.id)
        return entry is not None and (entry.bundle.joins_network or entry.bundle.host_network is True)

    def state(self, cgroup: Cgroup) -> Optional[RuntimeState]:
        entry = self._entries.get(cgroup.id)
        if entry is None or (entry.bundle.health is None and entry.bundle.restarts is None):
            return None
        return RuntimeState(entry.bundle.health, entry.bundle.restarts)

    def folder(self, cgroup: Cgroup) -> str:
        entry = self._entries.get(cgroup.id)
        return self._bundles.folder(cgroup.container_id) if entry and entry.bundle.runtime == DOCKER else ""

    @property
    def unknown(self) -> int:
        """Number of containers that neither source knows, without those of managers that keep no such files (LXC, systemd-nspawn)."""
        return sum(
            len(entry.cgroup.container_id) == ID_LENGTH and entry.bundle is _NO_BUNDLE and entry.pod is None
            for entry in self._entries.values()
        )

    def _resolve_others(self, others: list[_Entry], has_changed: bool) -> None:
        """Resolve pods, slices and the root, after all containers: a pod takes its name from its containers' bundles."""
        uids = {entry.cgroup.pod_uid for entry in others}
        self._by_uid = {uid: bundle for uid, bundle in self._by_uid.items() if uid in uids}
        for entry in others:
            bundle = self._by_uid.get(entry.cgroup.pod_uid, _NO_BUNDLE) if entry.cgroup.pod_uid else _NO_BUNDLE
            if has_changed or not entry.values or (entry.bundle is _NO_BUNDLE and bundle is not _NO_BUNDLE):
                entry.bundle = bundle
                self._resolve(entry)
        self._bundles.keep({entry.cgroup.container_id for entry in self._entries.values()})

    def _find_bundle(self, entry: _Entry) -> bool:
        """Search for the runtime's files of a container; True if this call has found them, or found them changed."""
        id = entry.cgroup.container_id
        if not id:
            return False
        known = entry.bundle is not _NO_BUNDLE
        found = self._bundles.refreshed(id) if known else self._bundles.find(id, entry.cgroup)
        if found is None:
            return False
        entry.bundle = found
        uid = entry.cgroup.pod_uid
        # The sandbox's bundle is preferred: it exists as long as the pod and knows its network.
        if uid and (found.is_sandbox or (found.pod and uid not in self._by_uid)):
            self._by_uid[uid] = found
        return True

    def _resolve(self, entry: _Entry) -> None:
        """Compute the label values of a cgroup from both sources."""
        cgroup, bundle = entry.cgroup, entry.bundle
        # Earlier results are kept: a pod may be deleted from the API before its cgroup ends.
        entry.pod = pod = self._find_pod(cgroup, bundle) or entry.pod
        known = pod.containers.get(cgroup.container_id) if pod and cgroup.container_id else None
        entry.container = known or entry.container
        namespace = bundle.namespace or (pod.namespace if pod else "")
        container = image = name = ""
        if cgroup.kind == "container":
            entry.is_sandbox = _is_sandbox(bundle, pod, entry.container)
            container, image, name = _container_labels(cgroup, bundle, pod, entry.container, entry.is_sandbox)
        extra = self._extra.values(pod, self.namespaces.labels(namespace) if namespace else {}, bundle)
        pod_name = bundle.pod or (pod.name if pod else "")
        values = (container, cgroup.id, image, name, namespace, pod_name, *extra)
        # The sampler compares tuples of values: an equal one stays the identical object.
        if values != entry.values:
            entry.values = values

    def _find_pod(self, cgroup: Cgroup, bundle: Bundle) -> Optional[Pod]:
        """Find the API's pod of a cgroup: by the container id, which is never reused, else by the pod's uid."""
        found = self.pods.of_container(cgroup.container_id) if cgroup.container_id else None
        for uid in (cgroup.pod_uid, bundle.pod_uid):
            found = found or (self.pods.of_uid(uid) if uid else None)
        return found


class _Entry:
    """State of one cgroup."""

    __slots__ = ("cgroup", "bundle", "pod", "container", "is_sandbox", "values")

    def __init__(self, cgroup: Cgroup) -> None:
        self.cgroup = cgroup
        self.bundle = _NO_BUNDLE
        self.pod: Optional[Pod] = None
        self.container: Optional[Container] = None
        self.is_sandbox = False
        self.values: tuple[str, ...] = ()


def make_label_resolver(settings: Cadvisor) -> LabelResolver:
    """Return a resolver for these settings, with empty indexes of pods and namespaces."""
    pods = PodIndex(allowlist_filter(settings.pod_labels), allowlist_filter(settings.pod_annotations))
    namespaces = NamespaceIndex(allowlist_filter(settings.namespace_labels))
    roots = Roots(settings.cgroup_root, settings.proc_root, settings.sys_root, settings.root)
    bundles = Bundles(
        settings.root,
        proc=settings.proc_root,
        mounts=lambda: MountReader(roots),
        labels=allowlist_filter(settings.container_labels),
        env=allowlist_filter(settings.container_env),
    )
    return LabelResolver(bundles, pods, namespaces, ExtraLabels(settings))


def _is_sandbox(bundle: Bundle, pod: Optional[Pod], container: Optional[Container]) -> bool:
    """Decide by the runtime's file; without it, the sandbox is the container that the pod's complete status does not list."""
    if bundle is not _NO_BUNDLE:
        return bundle.is_sandbox
    return pod is not None and container is None and pod.is_complete


def _container_labels(
    cgroup: Cgroup, bundle: Bundle, pod: Optional[Pod], known: Optional[Container], is_sandbox: bool
) -> tuple[str, str, str]:
    """Compute the labels container, image and name of a container."""
    runtime = bundle.runtime or (pod.runtime if pod else "") or CONTAINERD
    container = bundle.container or (known.name if known else "")
    if is_sandbox:
        container = SANDBOX if runtime in _NAMING_RUNTIMES else ""
    images = [bundle.image, known.image if known else ""]
    # A digest is used only if neither source has the name of the image.
    image = next((one for one in images if one and not one.startswith("sha256:")), images[0] or images[1])
    name = bundle.name
    if not name and runtime in _NAMING_RUNTIMES and pod and (container or is_sandbox):
        name = pod.full_name(container, known.run if known else 0)
    return container, image, name or cgroup.container_id
