"""What an environment switches on by itself: nobody should have to configure what can be seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from telegen.config.errors import ConfigError
from telegen.config.model import Config, KubeState
from telegen.config.validation import MOST_SHARDS, chosen_share

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds the token and the CA of its account."""


@dataclass(frozen=True)
class NamedCluster:
    """One of several clusters.

    Attributes:
        name: value of its `cluster` label.
        source: where its API server is, as in `Detection.cluster`.
        context: of the kubeconfig; "" for its current one.
    """

    name: str
    source: str
    context: str = ""


@dataclass(frozen=True)
class Detection:
    """What to collect from where.

    Attributes:
        cluster: where the agent's own cluster is: `in-cluster`, `kubeconfig:PATH`, a URL, or "" when no API server is to be
            watched, or none of an own cluster.
        containers: whether the cgroups of this node are read.
        reason: why, for the log.
        node: the node whose pods are watched in node scope, "" in cluster scope.
        clusters: those to be watched where there are several, instead of the own one.
    """

    cluster: str
    containers: bool
    reason: str
    node: str = ""
    clusters: tuple[NamedCluster, ...] = ()


def detect(config: Config, environ: Mapping[str, str], exists: Callable[[str], bool] = os.path.exists) -> Detection:
    """Decide from the configuration and the environment.

    `kube_metrics.enabled` true or false decides; when it is null, `auto_detect` does, which wants a cluster around the
    agent and `kubernetes.enable`. Outside a cluster a kubeconfig names one.

    Raises:
        ConfigError: the scope is a node's, or could be, and what names the node is missing or empty; one of several clusters
            cannot be found.
    """
    kube = config.kube_metrics
    containers = kube.cadvisor.enabled and kube.enabled is not False
    source = _source(config, environ, exists)
    wanted, why = _wanted(config)
    if not wanted:
        return Detection("", containers, f"{why}: {_shown('', containers)}")
    clusters = tuple(_named(config, source))
    if clusters:
        names = ", ".join(cluster.name for cluster in clusters)
        whole = _whole(config, environ, source)
        return Detection(source, containers, f"{why}: {_shown(names, containers)}{whole}", clusters=clusters)
    if not source:
        return Detection("", containers, f"no cluster to be found ({_absence(environ)}): {_shown('', containers)}")
    node = _node(config, environ, source)
    scope = f" for node {node} and what it comes to hold" if node else _whole(config, environ, source)
    return Detection(source, containers, f"{why}: {_shown(source, containers)}{scope}", node)


def _named(config: Config, own: str) -> Iterator[NamedCluster]:
    """The clusters, where there are several."""
    for at, entry in enumerate(config.kube_metrics.kube_state.clusters):
        source = f"kubeconfig:{entry.kubeconfig}" if entry.kubeconfig else own
        where = f"kube_metrics.kube_state.clusters[{at}]"
        if not source:
            raise ConfigError(f"{where}: {entry.name} needs a kubeconfig: the agent has no cluster of its own")
        if entry.context and not source.startswith("kubeconfig:"):
            raise ConfigError(f"{where}: context needs a kubeconfig")
        yield NamedCluster(entry.name, source, entry.context)


def _node(config: Config, environ: Mapping[str, str], source: str) -> str:
    """The node in whose scope the agent works, "" when it is to watch everything."""
    kube = config.kube_metrics
    name = kube.node_name or environ.get("NODE_NAME", "")
    if kube.scope == "node" and not name:
        raise ConfigError("kube_metrics.scope: node needs node_name, or NODE_NAME in the environment")
    state = kube.kube_state
    fits = source == "in-cluster" and not _against_node(state)
    if kube.scope == "auto" and fits and not name and "NODE_NAME" in environ:
        raise ConfigError(
            "kube_metrics.node_name: NODE_NAME is empty in the environment: each agent of a DaemonSet would take everything; "
            "the downward API has it as spec.nodeName, and scope: cluster needs none"
        )
    return name if kube.scope == "node" or (kube.scope == "auto" and fits) else ""


def _against_node(state: KubeState) -> list[str]:
    """The settings with which an agent that knows its node does not take the node's scope by itself."""
    return chosen_share(state) + (["total_shards"] if state.total_shards > MOST_SHARDS else [])


def _whole(config: Config, environ: Mapping[str, str], source: str) -> str:
    """Why an agent of a node has the scope of the cluster, for the log: in a DaemonSet, whose agents would all say the same,
    this is a mistake."""
    kube = config.kube_metrics
    known = source == "in-cluster" and (kube.node_name or environ.get("NODE_NAME", ""))
    settings = _against_node(kube.kube_state) if known and kube.scope == "auto" else []
    return f", in scope cluster as kube_state.{settings[0]} is set" if settings else ""


def election_namespace(config: Config, environ: Mapping[str, str], account: str = ACCOUNT) -> str:
    """Where the Leases are: as configured, else where the pod is.

    Raises:
        ConfigError: nothing says where.
    """
    named = config.kube_metrics.election.namespace or environ.get("POD_NAMESPACE", "")
    if named:
        return named
    try:
        with open(f"{account}/namespace", encoding="ascii") as file:
            return file.read().strip()
    except OSError as error:
        raise ConfigError(
            "kube_metrics.election.namespace: needed outside a pod, or POD_NAMESPACE in the environment"
        ) from error


def _wanted(config: Config) -> tuple[bool, str]:
    """Whether the API is to be watched, and which setting says so."""
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


def _source(config: Config, environ: Mapping[str, str], exists: Callable[[str], bool]) -> str:
    """Where a cluster is to be found."""
    state = config.kube_metrics.kube_state
    if state.apiserver:
        return state.apiserver.rstrip("/")
    explicit = state.kubeconfig
    if explicit:
        return f"kubeconfig:{explicit}"
    if environ.get("KUBERNETES_SERVICE_HOST") and environ.get("KUBERNETES_SERVICE_PORT") and exists(f"{ACCOUNT}/token"):
        return "in-cluster"
    named = [path for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    usual = os.path.join(environ.get("HOME", ""), ".kube", "config") if environ.get("HOME") else ""
    for path in named or [usual]:
        if path and exists(path):
            return f"kubeconfig:{path}"
    return ""


def _absence(environ: Mapping[str, str]) -> str:
    """What was looked for in vain."""
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return f"{ACCOUNT}/token is not there; does the pod mount its service account?"
    if environ.get("KUBECONFIG"):
        return f"KUBECONFIG={environ['KUBECONFIG']} names no file that is there"
    return "neither in a pod nor by a kubeconfig"


def _shown(source: str, containers: bool) -> str:
    parts = ([f"watches the API server ({source})"] if source else []) + (
        ["reads this node's cgroups"] if containers else []
    )
    if not source and containers:
        return "serves the container metrics alone"
    return " and ".join(parts) or "nothing to collect"
