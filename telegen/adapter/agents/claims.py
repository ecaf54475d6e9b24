"""Pods that several agents report.

All agents have one certificate, and an agent names its pods itself: one whose node is in other hands may name any pod. It cannot speak for
a pod that another agent reports as well, since a contradiction leaves the pod out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from telegen.adapter.agents.usage import PodUsage, RenderedUsage

CONTESTED = "reported by two nodes"
"""Reason for which a pod is left out."""
AnyPod = TypeVar("AnyPod", PodUsage, RenderedUsage)
log = logging.getLogger("telegen.adapter")


def settled(pods: Iterable[AnyPod], left_out: Callable[[str], None]) -> Iterable[AnyPod]:
    """Return each pod of a namespace once.

    Of two agents of one node, one of which replaces the other, the newer usage counts. A pod of two nodes is left out: one is wrong, or
    the pod of a StatefulSet has moved, and its former agent drops it with the next poll.

    Args:
        pods: whose usage is not too old.
        left_out: called with the reason for each pod that is left out.
    """
    found, contested = dict[str, AnyPod](), dict[str, tuple[str, str]]()
    for pod in pods:
        known = found.setdefault(pod.name, pod)
        if known.node != pod.node:
            contested[pod.name] = known.node, pod.node
        elif known.time < pod.time:
            found[pod.name] = pod
    for name, nodes in contested.items():
        pod = found.pop(name)
        left_out(CONTESTED)
        log.warning(
            "pod %s/%s: the agents of the nodes %s and %s both report it; it is left out until one of them stops; if both go on, compare "
            "spec.nodeName of the pod and examine the other node",
            pod.namespace, name, *sorted(nodes),
        )  # fmt: skip
    return found.values()
