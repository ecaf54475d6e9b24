"""A synthetic cluster: objects of realistic structure and size, reproducible by seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

Object = dict[str, Any]

_BORN = datetime(2026, 1, 5, 8, 0, 0, tzinfo=timezone.utc)
_APPS = ("checkout", "catalog", "search", "cart", "billing", "mail", "gateway", "profile", "stock", "audit")
_FIELDS = ("app", "pod-template-hash", "tier", "team", "version", "release")
_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def timestamp(seconds: int) -> str:
    """Format the time `seconds` after the creation of the cluster, as the API does."""
    return (_BORN + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class SyntheticCluster:
    """Creates objects by number. Pods refer to existing nodes and namespaces."""

    def __init__(self, pods: int, others: int | None = None, seed: int = 1) -> None:
        """Describe a cluster.

        Args:
            pods: number of pods.
            others: number of objects of each other resource; a fifth of the pods when None.
            seed: seed of the UIDs.
        """
        self.pods = pods
        self.others = max(3, pods // 5 if others is None else others)
        self._seed = seed

    def objects(self) -> Iterator[tuple[str, Object]]:
        """Yield (resource, object) of all objects."""
        makers: dict[str, Callable[[int], Object]] = {
            "namespaces": self.namespace,
            "nodes": self.node,
            "deployments": self.deployment,
        }
        for resource, make in makers.items():
            for number in range(self.others):
                yield resource, make(number)
        yield "namespaces", self.system_namespace()
        for number in range(self.pods):
            yield "pods", self.pod(number)

    def uid(self, kind: str, number: int) -> str:
        """Return a version 4 UUID derived from the seed, the kind and the number."""
        bits = random.Random(f"{self._seed}/{kind}/{number}").getrandbits(128)
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def metadata(self, kind: str, number: int, name: str, namespaced: bool) -> Object:
        """Return the metadata of an object."""
        app = _APPS[number % len(_APPS)]
        metadata: Object = {
            "name": name,
            "uid": self.uid(kind, number),
            "resourceVersion": "1",
            "generation": 1 + number % 3,
            "creationTimestamp": timestamp(number % 500_000),
            "labels": {"app": app, "app.kubernetes.io/name": app, "tier": "backend", "team": f"team-{number % 7}"},
            "annotations": {"example.org/owner": f"{app}@example.org", "example.org/revision": str(number % 40)},
            "managedFields": _managed_fields(8 if kind == "Pod" else 2),
        }
        if namespaced:
            metadata["namespace"] = f"shop-{number % min(self.others, 40)}"
        return metadata

    def system_namespace(self) -> Object:
        """Return the namespace kube-system, whose UID identifies the cluster."""
        return self.namespace(self.others, "kube-system")

    def namespace(self, number: int, name: str = "") -> Object:
        """Return a namespace."""
        metadata = self.metadata("Namespace", number, name or f"shop-{number}", False)
        return {
            "kind": "Namespace",
            "apiVersion": "v1",
            "metadata": metadata,
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }

    def node(self, number: int) -> Object:
        """Return a node with four cores and five conditions; every tenth has a taint."""
        metadata = self.metadata("Node", number, f"node-{number}", False)
        metadata["labels"]["node-role.kubernetes.io/worker"] = ""
        amounts = {
            "cpu": "4",
            "memory": "16374556Ki",
            "pods": "110",
            "ephemeral-storage": "101430960Ki",
            "hugepages-2Mi": "0",
        }
        types = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable", "Ready")
        beat = {"lastHeartbeatTime": timestamp(900_000), "lastTransitionTime": timestamp(1000)}
        return {
            "kind": "Node",
            "apiVersion": "v1",
            "metadata": metadata,
            "spec": {
                "podCIDR": f"10.{number >> 8 & 255}.{number & 255}.0/24",
                "podCIDRs": [f"10.{number >> 8 & 255}.{number & 255}.0/24"],
                "providerID": f"demo:///zone-{number % 3}/node-{number}",
                **(
                    {"taints": [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]}
                    if number % 10 == 9
                    else {}
                ),
            },
            "status": {
                "capacity": amounts,
                "allocatable": {**amounts, "cpu": "3920m", "memory": "15350556Ki"},
                "conditions": [
                    {"type": name, "status": "True" if name == "Ready" else "False", "reason": f"Kubelet{name}", **beat}
                    for name in types
                ],
                "addresses": [
                    {"type": "InternalIP", "address": f"192.168.{number >> 8 & 255}.{number & 255}"},
                    {"type": "Hostname", "address": f"node-{number}"},
                ],
                "nodeInfo": {
                    "machineID": self.uid("machine", number).replace("-", ""),
                    "systemUUID": self.uid("system", number),
                    "kernelVersion": "6.1.0-30-amd64",
                    "osImage": "Debian GNU/Linux 12 (bookworm)",
                    "containerRuntimeVersion": "containerd://2.1.4",
                    "kubeletVersion": "v1.36.1",
                    "architecture": "amd64",
                    "operatingSystem": "linux",
                },
            },
        }

    def deployment(self, number: int) -> Object:
        """Return a deployment of three pods."""
        metadata = self.metadata("Deployment", number, f"{_APPS[number % len(_APPS)]}-{number}", True)
        condition = {"status": "True", "lastUpdateTime": timestamp(2000), "lastTransitionTime": timestamp(2000)}
        return {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": metadata,
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": metadata["labels"]["app"]}},
                "template": {
                    "metadata": {"labels": metadata["labels"]},
                    "spec": {"containers": [_container("app", number)]},
                },
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
                "progressDeadlineSeconds": 600,
            },
            "status": {
                "observedGeneration": metadata["generation"],
                "replicas": 3,
                "updatedReplicas": 3,
                "readyReplicas": 3,
                "availableReplicas": 3,
                "conditions": [
                    {
                        "type": "Available",
                        "reason": "MinimumReplicasAvailable",
                        "message": "enough pods are ready",
                        **condition,
                    },
                    {
                        "type": "Progressing",
                        "reason": "NewReplicaSetAvailable",
                        "message": "the rollout is done",
                        **condition,
                    },
                ],
            },
        }

    def pod(self, number: int) -> Object:
        """Return a running pod with two containers, an init container and five conditions: 10 kB of JSON, 70 samples."""
        app = _APPS[number % len(_APPS)]
        owner = number // 3
        metadata = self.metadata("Pod", number, f"{app}-{owner:x}-{number:05x}", True)
        metadata["labels"].update({name: f"{name}-{number % 97}" for name in _FIELDS})
        metadata["ownerReferences"] = [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": f"{app}-{owner:x}",
                "uid": self.uid("ReplicaSet", owner),
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        start = 1000 + number % 400_000
        return {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": metadata,
            "spec": self._pod_spec(number),
            "status": self._pod_status(number, start),
        }

    def _pod_spec(self, number: int) -> Object:
        seconds = {"tolerationSeconds": 300, "operator": "Exists", "effect": "NoExecute"}
        return {
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{number}"}},
                {"name": "config", "configMap": {"name": f"config-{number % 50}", "defaultMode": 420}},
                {
                    "name": "kube-api-access",
                    "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]},
                },
            ],
            "initContainers": [_container("migrate", number)],
            "containers": [_container("app", number), _container("proxy", number)],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "serviceAccount": "default",
            "nodeName": f"node-{number % self.others}",
            "securityContext": {"runAsNonRoot": True, "fsGroup": 2000},
            "schedulerName": "default-scheduler",
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", **seconds},
                {"key": "node.kubernetes.io/unreachable", **seconds},
            ],
            "priority": 0,
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
        }

    def _pod_status(self, number: int, start: int) -> Object:
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        done = {"exitCode": 0, "reason": "Completed", "startedAt": timestamp(start), "finishedAt": timestamp(start + 3)}
        running = {"running": {"startedAt": timestamp(start + 5)}}
        return {
            "phase": "Running",
            "conditions": [
                {"type": name, "status": "True", "lastProbeTime": None, "lastTransitionTime": timestamp(start + at)}
                for at, name in enumerate(_CONDITIONS)
            ],
            "hostIP": f"192.168.0.{number % 250}",
            "hostIPs": [{"ip": f"192.168.0.{number % 250}"}],
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": timestamp(start),
            "initContainerStatuses": [self._container_status("migrate", number, {"terminated": done})],
            "containerStatuses": [
                self._container_status("app", number, running),
                self._container_status("proxy", number, running),
            ],
            "qosClass": "Burstable",
        }

    def _container_status(self, name: str, number: int, state: Object) -> Object:
        digest = self.uid(f"container/{name}", number).replace("-", "") * 2
        return {
            "name": name,
            "state": state,
            "lastState": {},
            "ready": True,
            "restartCount": 0,
            "image": _image(name, number),
            "imageID": f"registry.example/shop/{name}@sha256:{digest}",
            "containerID": f"containerd://{digest}",
            "started": True,
        }


def _image(name: str, number: int) -> str:
    return f"registry.example/shop/{name}:1.{number % 20}.0"


def _container(name: str, number: int) -> Object:
    probe = {
        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "failureThreshold": 3,
    }
    return {
        "name": name,
        "image": _image(name, number),
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{at}", "value": f"value-{(number + at) % 1000}"} for at in range(8)],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [
            {"name": "data", "mountPath": "/var/lib/shop"},
            {"name": "kube-api-access", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        ],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _managed_fields(size: int) -> list[Object]:
    """Return managedFields, which are more than a third of the bytes that the API server sends and are dropped unread."""
    fields: Object = {
        f'k:{{"type":"{name}"}}': {".": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {}}
        for name in _CONDITIONS[:size]
    }
    spec: Object = {
        f"f:{name}": {}
        for name in ("dnsPolicy", "restartPolicy", "schedulerName", "securityContext", "tolerations", "volumes")[:size]
    }
    containers = {
        f'k:{{"name":"{name}"}}': {
            ".": {},
            "f:image": {},
            "f:resources": {".": {}, "f:limits": {}, "f:requests": {}},
            **spec,
        }
        for name in _APPS[:size]
    }
    return [
        {
            "manager": "kubelet",
            "operation": "Update",
            "apiVersion": "v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:status": {"f:conditions": fields}},
        },
        {
            "manager": "kube-controller-manager",
            "operation": "Update",
            "apiVersion": "v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": spec}, "f:spec": {"f:containers": containers, **spec}},
        },
    ]
