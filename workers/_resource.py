"""Resource of all that this agent sends by OTLP: metrics, Kubernetes events, ends of containers."""

from __future__ import annotations

from telegen.config import NamedCluster
from telegen.otlp.resources import resource_attributes
from workers._base import Worker


def sender_attributes(worker: Worker, instance: str, node: str = "", cluster: NamedCluster | None = None) -> dict[str, str]:
    """Return the attributes of the resource.

    Args:
        instance: service.instance.id.
        node: of what belongs to a node, else "".
        cluster: one of several clusters; None for the agent's own.
    """
    config = worker.config
    extra, settings = {"k8s.node.name": node}, {"k8s.cluster.name": cluster.name if cluster else config.kubernetes.cluster_name}
    if config.kubernetes.cluster_uid and not cluster:
        extra["k8s.cluster.uid"] = worker.shared.uid.read()
    return resource_attributes(instance, extra, config.kube_metrics.otlp.service_version, settings)
