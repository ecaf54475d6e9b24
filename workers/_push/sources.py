"""Origins of pushed series: a resource for what belongs to this node, and one per shard of the cluster."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

from telegen.config import sampled_node
from telegen.kubemetrics.readiness import View
from telegen.kubemetrics.staleness import shown, withheld
from telegen.otlp.attributes import attributes
from telegen.otlp.composer import Source, StoreFilter
from telegen.otlp.requests import Origin
from telegen.otlp.resources import encode_resource, entity_attributes
from telegen.shm.reader import ArenaReader
from workers._base import Assignment, Worker
from workers._resource import sender_attributes

SCOPES = {"watch": "telegen.kubestate", "custom": "telegen.kubestate", "sample": "telegen.cadvisor"}
"""Instrumentation scope by kind of worker. Without a version: receivers make it a label, and an upgrade would end every series."""


def push_sources(worker: Worker) -> list[Source]:
    """Return the arenas of all workers that publish, in the order of the page; those of one origin share it."""
    origins: dict[tuple[str, str, str], Origin] = {}
    found = []
    for assignment in worker.shared.assignments:
        if assignment.kind in SCOPES:
            key = assignment.kind, _instance(worker, assignment), _cluster(worker, assignment)
            origin = origins.setdefault(key, _origin(worker, assignment))
            found.append(Source(ArenaReader(worker.shared.arenas[assignment.name]), origin))
    return found


def store_filters(worker: Worker) -> Callable[[], StoreFilter]:
    """Return the function that gives the filter of the moment: a push lacks the stores that max_staleness withholds from the page."""
    shared, most = worker.shared, worker.config.kube_metrics.max_staleness
    view = View({}, {}, shared.heartbeats, shared.rows, 0.0, statuses=shared.statuses, max_staleness=most)
    return lambda: shown(view, withheld(view))


def _origin(worker: Worker, assignment: Assignment) -> Origin:
    shared, node = worker.shared, _node(worker) if assignment.kind == "sample" else ""
    values = sender_attributes(worker, _instance(worker, assignment), node, assignment.cluster)
    is_served: Callable[[], bool] = lambda: True
    if assignment.lease_shard is not None:
        is_served = partial(shared.deadlines.is_served, assignment.lease_shard)
    return Origin(
        encode_resource(values),
        SCOPES[assignment.kind],
        attributes(1, entity_attributes(values, ("k8s.node.name",) if assignment.kind == "sample" else ())),
        is_served,
        leased=assignment.lease_shard is not None,
    )


def _instance(worker: Worker, assignment: Assignment) -> str:
    """Return service.instance.id: the node for its containers; for kube_* the name of the shard's Lease, which stays when another
    agent takes over."""
    if assignment.kind == "sample":
        return _node(worker) or socket.gethostname()
    kube = worker.config.kube_metrics
    shard = f"{kube.election.name}-shard-{assignment.agent_shard[0]}"
    if kube.kube_state.track_unscheduled_pods:
        return f"{shard}-unscheduled"
    # The pods of a node, watched by an agent of that node alone.
    return f"{shard}-{kube.kube_state.node}" if kube.kube_state.node else shard


def _cluster(worker: Worker, assignment: Assignment) -> str:
    return assignment.cluster.name if assignment.cluster else worker.config.kubernetes.cluster_name


def _node(worker: Worker) -> str:
    return sampled_node(worker.config, worker.shared.environ)
