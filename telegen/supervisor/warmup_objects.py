"""Sample objects for the warm-up: small, but with the fields that most code of the tables reads."""

from __future__ import annotations

from collections.abc import Mapping

from telegen.metrics.family import Object

_TIME = "2026-01-05T08:00:00Z"
_LABELS = {"app": "sample", "app.kubernetes.io/name": "sample", "tier": "backend"}


def _metadata(kind: str, owner: Object | None = None) -> Object:
    """Metadata with managedFields, which real objects have and which parsing drops."""
    fields = {"f:metadata": {"f:labels": {f"f:{name}": {} for name in _LABELS}}, "f:spec": {"f:replicas": {}}}
    return {
        "generation": 1,
        "creationTimestamp": _TIME,
        "labels": _LABELS,
        "annotations": {"example.org/owner": "sample@example.org"},
        "ownerReferences": [owner] if owner else [],
        "managedFields": [{"manager": kind, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}],
    }


def _conditions(*types: str) -> list[Object]:
    return [{"type": name, "status": "True", "reason": "Sample", "lastTransitionTime": _TIME} for name in types]


def _container(name: str) -> Object:
    return {
        "name": name,
        "image": f"registry.example/sample/{name}:1.0",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "SETTING", "value": "value"}],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }


def _container_status(name: str, state: Object) -> Object:
    return {
        "name": name,
        "state": state,
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "image": f"registry.example/sample/{name}:1.0",
        "imageID": f"registry.example/sample/{name}@sha256:{'0' * 64}",
        "containerID": f"containerd://{'0' * 64}",
        "started": True,
    }


def _pod() -> Object:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "sample", "uid": "1", "controller": True}
    done = {"exitCode": 0, "reason": "Completed", "startedAt": _TIME, "finishedAt": _TIME}
    running = {"running": {"startedAt": _TIME}}
    return {
        "metadata": _metadata("Pod", owner),
        "spec": {
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            "initContainers": [_container("migrate")],
            "containers": [_container("app"), _container("proxy")],
            "restartPolicy": "Always",
            "serviceAccountName": "default",
            "nodeName": "node-1",
            "schedulerName": "default-scheduler",
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
            "priority": 0,
        },
        "status": {
            "phase": "Running",
            "conditions": _conditions("Initialized", "Ready", "ContainersReady", "PodScheduled"),
            "hostIP": "192.0.2.1",
            "podIP": "192.0.2.2",
            "podIPs": [{"ip": "192.0.2.2"}],
            "startTime": _TIME,
            "initContainerStatuses": [_container_status("migrate", {"terminated": done})],
            "containerStatuses": [_container_status("app", running), _container_status("proxy", running)],
            "qosClass": "Burstable",
        },
    }


def _node() -> Object:
    amounts = {"cpu": "4", "memory": "16374556Ki", "pods": "110", "ephemeral-storage": "101430960Ki"}
    return {
        "metadata": _metadata("Node"),
        "spec": {"podCIDR": "192.0.2.0/24", "taints": [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": _conditions("MemoryPressure", "DiskPressure", "PIDPressure", "Ready"),
            "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
            "nodeInfo": {"kernelVersion": "6.1", "osImage": "sample", "kubeletVersion": "v1.36.0", "systemUUID": "1"},
        },
    }


def _deployment() -> Object:
    return {
        "metadata": _metadata("Deployment"),
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": {"containers": [_container("app")]}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        },
        "status": {
            "observedGeneration": 1,
            "replicas": 3,
            "updatedReplicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "conditions": _conditions("Available", "Progressing"),
        },
    }


def _namespace() -> Object:
    return {"metadata": _metadata("Namespace"), "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}


SAMPLES: Mapping[str, Object] = {
    "pods": _pod(),
    "nodes": _node(),
    "deployments": _deployment(),
    "namespaces": _namespace(),
}
"""One object by resource. The warm-up uses an empty object for the other resources."""
