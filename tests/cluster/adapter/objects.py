"""Objects of the cluster whose workloads are scaled, as controllers and the kubelet would have made them."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.cluster.control_plane import Object

NAMESPACE = "shop"
OWN = "telegen"
"""Namespace of agents and adapters."""
ODD = "odd"
"""Namespace of pods whose metrics are no usual numbers."""
NODES = ("n1", "n2")
LONG_AGO = "2026-01-05T08:00:00Z"
READY = [{"type": "Ready", "status": "True", "lastTransitionTime": LONG_AGO}]


def _object(version: str, kind: str, name: str, namespace: str = NAMESPACE, **fields: Any) -> Object:
    metadata: Object = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def node(name: str) -> Object:
    """A ready node with swap."""
    info = dict.fromkeys(
        ("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion", "machineID")
        + ("operatingSystem", "osImage", "systemUUID"),
        "",
    )
    status = {
        "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        "conditions": READY,
        "nodeInfo": {**info, "swap": {"capacity": 1 << 30}},
    }
    made = _object("v1", "Node", name, "", spec={}, status=status)
    made["metadata"]["labels"] = {"kubernetes.io/hostname": name, "zone": "west" if name == NODES[0] else "east"}
    return made


def pod(name: str, node: str, app: str, namespace: str = NAMESPACE, containers: tuple[str, ...] = ("app", "sidecar")) -> Object:
    """A pod that has run for long; its containers request 200m of CPU each."""
    requests = {"cpu": "200m", "memory": "64Mi"}
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    specs = [{"name": one, "image": f"{one}:1", "resources": {"requests": requests}, "securityContext": security} for one in containers]
    statuses = [
        {
            "name": one,
            "image": f"{one}:1",
            "imageID": f"{one}@sha256:1",
            "containerID": f"containerd://{hashlib.sha256(f'{namespace}/{name}/{one}'.encode()).hexdigest()}",
            "ready": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": LONG_AGO}},
        }
        for one in containers
    ]
    status = {"phase": "Running", "startTime": LONG_AGO, "conditions": READY, "containerStatuses": statuses}
    restricted = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"nodeName": node, "containers": specs, "securityContext": restricted}
    made = _object("v1", "Pod", name, namespace, spec=spec, status=status)
    made["metadata"]["labels"] = {"app": app}
    return made


def deployment(name: str, replicas: int) -> Object:
    """A deployment whose pods exist; no controller makes others."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return _object("apps/v1", "Deployment", name, spec=spec, status={"replicas": replicas})


def service(name: str) -> Object:
    """A service of the deployment web."""
    return _object("v1", "Service", name, spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})


def job(name: str, namespace: str = NAMESPACE) -> Object:
    """A job that has failed."""
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "app:1"}]}}
    return _object("batch/v1", "Job", name, namespace, spec={"template": template})


def autoscaler(name: str, target: str, metrics: list[Object]) -> Object:
    """A HorizontalPodAutoscaler of a deployment, free to move within two seconds."""
    rules = {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 100, "periodSeconds": 1}]}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
        "minReplicas": 1,
        "maxReplicas": 50,
        "metrics": metrics,
        "behavior": {"scaleUp": rules, "scaleDown": rules},
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", name, spec=spec)


def cluster_objects() -> list[Object]:
    """Return the objects except pods and autoscalers."""
    return [
        *(_object("v1", "Namespace", name, "") for name in (OWN, NAMESPACE, ODD)),
        *map(node, NODES),
        deployment("web", 4),
        deployment("api", 2),
        service("front"),
        job("import"),
        *(pod(name, NODES[0], "odd", ODD) for name in ("nan", "pinf", "ninf", "one")),
    ]


RBAC = "rbac.authorization.k8s.io"
GROUPS = ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io")
USERS = ("alice-token,alice,alice,\"devs,qa\"", "bob-token,bob,bob,ops", "carol-token,carol,carol,ops")
"""Lines of a token file."""


def rights() -> list[Object]:
    """Return roles and bindings: alice reads everything of the core group and the metrics APIs, carol one metric in one namespace."""
    read = {"apiGroups": ["", *GROUPS], "resources": ["*"], "verbs": ["get", "list"]}
    one = {"apiGroups": ["custom.metrics.k8s.io"], "resources": ["pods/http_inflight"], "verbs": ["get"]}
    version = f"{RBAC}/v1"

    def binding(kind: str, role: str, user: str, namespace: str) -> Object:
        reference = {"apiGroup": RBAC, "kind": kind.removesuffix("Binding"), "name": role}
        subjects = [{"apiGroup": RBAC, "kind": "User", "name": user}]
        return _object(version, kind, role, namespace, roleRef=reference, subjects=subjects)

    return [
        _object(version, "ClusterRole", "metrics-of-all", "", rules=[read]),
        binding("ClusterRoleBinding", "metrics-of-all", "alice", ""),
        _object(version, "Role", "one-metric", NAMESPACE, rules=[one]),
        binding("RoleBinding", "one-metric", "carol", NAMESPACE),
    ]
