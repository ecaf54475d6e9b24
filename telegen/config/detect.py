"""Detection: the cluster, the node and the scope, from the configuration and the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from telegen.config.errors import ConfigError
from telegen.config.model import Config, KubeState
from telegen.config.validation import MOST_SHARDS, chosen_share

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Directory with the token and the CA of a pod's ServiceAccount."""


@dataclass(frozen=True)
class NamedCluster:
    """One of several clusters.

    Attributes:
        name: value of its `cluster` label.
        source: location of its API server, as in `Detection.cluster`.
        context: context of the kubeconfig; "" for the current one.
    """

    name: str
    source: str
    context: str = ""


@dataclass(frozen=True)
class Detection:
    """Sources of data.

    Attributes:
        cluster: location of the agent's own cluster: `in-cluster`, `kubeconfig:PATH` or a URL; "" if there is none, or if
            nothing is collected from it.
        containers: read the cgroups of this node.
        reason: explanation for the log.
        node: name of the agent's node in node scope, "" in cluster scope.
        clusters: the clusters to watch if there are several, instead of the agent's own.
    """

    cluster: str
    containers: bool
    reason: str
    node: str = ""
    clusters: tuple[NamedCluster, ...] = ()


def detect(config: Config, environ: Mapping[str, str], exists: Callable[[str], bool] = os.path.exists) -> Detection:
    """Decide which sources to collect from.

    `kube_metrics.enabled` decides if it is true or false. If it is null, `auto_detect` and `kubernetes.enable` must both be
    true. The cluster is the one of the pod, else of a kubeconfig.

    Args:
        environ: environment variables of the agent.
        exists: tells whether a path exists; replaced in tests.

    Raises:
        ConfigError: the scope is or may be node and the name of the node is missing or empty, or one of several clusters has no
            kubeconfig.
    """
    kube = config.kube_metrics
    containers = kube.cadvisor.enabled and kube.enabled is not False
    source = cluster_source(config, environ, exists)
    wanted, why = _wanted(config)
    if not wanted:
        return Detection("", containers, f"{why}: {_shown('', containers)}")
    clusters = tuple(_named(config, source))
    # Several clusters exclude node scope: a node belongs to one of them, and Leases exist per cluster.
    if clusters:
        names = ", ".join(cluster.name for cluster in clusters)
        whole = _whole(config, environ, source)
        return Detection(source, containers, f"{why}: {_shown(names, containers)}{whole}", clusters=clusters)
    if not source:
        return Detection("", containers, f"no cluster found ({_absence(environ)}): {_shown('', containers)}")
    node = _node(config, environ, source)
    scope = f" for node {node} and what it comes to hold" if node else _whole(config, environ, source)
    return Detection(source, containers, f"{why}: {_shown(source, containers)}{scope}", node)


def _named(config: Config, own: str) -> Iterator[NamedCluster]:
    """Yield the clusters of `kube_state.clusters`."""
    for at, entry in enumerate(config.kube_metrics.kube_state.clusters):
        source = f"kubeconfig:{entry.kubeconfig}" if entry.kubeconfig else own
        where = f"kube_metrics.kube_state.clusters[{at}]"
        if not source:
            raise ConfigError(f"{where}: {entry.name} needs a kubeconfig: the agent has no cluster of its own")
        if entry.context and not source.startswith("kubeconfig:"):
            raise ConfigError(f"{where}: context needs a kubeconfig")
        yield NamedCluster(entry.name, source, entry.context)


def sampled_node(config: Config, environ: Mapping[str, str]) -> str:
    """Return the name of the node whose cgroups are sampled; "" if it is not configured."""
    kube = config.kube_metrics
    return kube.node_name or kube.kube_state.node or environ.get("NODE_NAME", "")


def _node(config: Config, environ: Mapping[str, str], source: str) -> str:
    """Return the agent's node in node scope, "" in cluster scope.

    Raises:
        ConfigError: the name of the node is missing.
    """
    kube = config.kube_metrics
    name = kube.node_name or environ.get("NODE_NAME", "")
    if kube.scope == "node" and not name:
        raise ConfigError("kube_metrics.scope: node needs node_name, or NODE_NAME in the environment")
    state = kube.kube_state
    fits = source == "in-cluster" and not _against_node(state)
    if kube.scope == "auto" and fits and not name and "NODE_NAME" in environ:
        raise ConfigError(
            "kube_metrics.node_name: NODE_NAME is empty in the environment, so each agent of a DaemonSet would serve the whole "
            "cluster; set NODE_NAME to spec.nodeName by the downward API, or set scope: cluster"
        )
    return name if kube.scope == "node" or (kube.scope == "auto" and fits) else ""


def _against_node(state: KubeState) -> list[str]:
    """Return the settings that keep scope auto from becoming node."""
    return chosen_share(state) + (["total_shards"] if state.total_shards > MOST_SHARDS else [])


def _whole(config: Config, environ: Mapping[str, str], source: str) -> str:
    """Explain in the log why an agent with a node has cluster scope. In a DaemonSet this is a mistake: every agent would
    serve the same series."""
    kube = config.kube_metrics
    known = source == "in-cluster" and (kube.node_name or environ.get("NODE_NAME", ""))
    settings = _against_node(kube.kube_state) if known and kube.scope == "auto" else []
    return f", in scope cluster as kube_state.{settings[0]} is set" if settings else ""


def election_namespace(config: Config, environ: Mapping[str, str], account: str = ACCOUNT) -> str:
    """Return the namespace of the Leases: the configured one, else the pod's.

    Args:
        account: directory of the ServiceAccount, which has a file with the namespace.

    Raises:
        ConfigError: the namespace is unknown.
    """
    named = config.kube_metrics.election.namespace or pod_namespace(environ, account)
    if not named:
        raise ConfigError("kube_metrics.election.namespace: required outside a pod; set it, or POD_NAMESPACE in the environment")
    return named


def pod_namespace(environ: Mapping[str, str], account: str = ACCOUNT) -> str:
    """Return the namespace of the pod, "" outside of one.

    Args:
        account: directory of the ServiceAccount, which has a file with the namespace.
    """
    try:
        return environ.get("POD_NAMESPACE", "") or Path(account, "namespace").read_text("ascii").strip()
    except OSError:
        return ""


def _wanted(config: Config) -> tuple[bool, str]:
    """Return True if the API server is to be watched, and the setting that decides."""
    kube = config.kube_metrics
    if not kube.kube_state.enabled:
        return False, "kube_metrics.kube_state.enabled is false"
    if kube.enabled is not None:
        return kube.enabled, f"kube_metrics.enabled is {str(kube.enabled).lower()}"
    if not kube.auto_detect:
        return False, "kube_metrics.auto_detect is false"
    if not config.kubernetes.enable:
        return False, "kubernetes.enable is false"
    return True, "detected"


def cluster_source(config: Config, environ: Mapping[str, str], exists: Callable[[str], bool] = os.path.exists) -> str:
    """Return the location of the agent's own cluster, as in `Detection.cluster`; "" if there is none."""
    state = config.kube_metrics.kube_state
    if state.apiserver:
        return state.apiserver.rstrip("/")
    explicit = state.kubeconfig
    if explicit:
        return f"kubeconfig:{explicit}"
    # The pod's own account comes first: inside a cluster a kubeconfig has to be configured explicitly.
    if environ.get("KUBERNETES_SERVICE_HOST") and environ.get("KUBERNETES_SERVICE_PORT") and exists(f"{ACCOUNT}/token"):
        return "in-cluster"
    named = [path for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    usual = os.path.join(environ.get("HOME", ""), ".kube", "config") if environ.get("HOME") else ""
    for path in named or [usual]:
        if path and exists(path):
            return f"kubeconfig:{path}"
    return ""


def _absence(environ: Mapping[str, str]) -> str:
    """Describe the missing signs of a cluster."""
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return f"{ACCOUNT}/token does not exist; mount the service account (automountServiceAccountToken)"
    if environ.get("KUBECONFIG"):
        return f"KUBECONFIG={environ['KUBECONFIG']}: no such file"
    return "not in a pod, and no kubeconfig"


def _shown(source: str, containers: bool) -> str:
    parts = ([f"watches the API server ({source})"] if source else []) + (
        ["reads this node's cgroups"] if containers else []
    )
    if not source and containers:
        return "serves container metrics only"
    return " and ".join(parts) or "nothing to collect"
