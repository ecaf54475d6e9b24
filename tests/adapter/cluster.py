"""An API server at the wire that lists the objects of a file, and the adapter in front of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import falcon.testing

from telegen.adapter.agents.usage import UsageSource
from telegen.adapter.apis.metrics_apis import MetricsApis
from telegen.adapter.cluster_objects import ClusterObjects
from telegen.adapter.label_selectors import parse_fields, parse_labels
from telegen.adapter.prometheus import Prometheus, Servers
from telegen.adapter.queries.backend import RulesBackend
from telegen.adapter.rest_mapping import RestMapping
from telegen.adapter.rules.model import RulesFile
from telegen.adapter.web import make_app
from telegen.api.client import Client
from telegen.api.cluster import Cluster
from telegen.api.discovery import ServedResource, discover
from tests.adapter.replay import served_json

HERE = Path(__file__).parent
RESOURCES = [
    ServedResource(group, version, plural, kind, namespaced)
    for group, version, namespaced, kinds in (
        ("", "v1", False, "nodes Node|namespaces Namespace|persistentvolumes PersistentVolume"),
        ("", "v1", True, "pods Pod|services Service|persistentvolumeclaims PersistentVolumeClaim|configmaps ConfigMap|events Event"),
        ("apps", "v1", True, "deployments Deployment|statefulsets StatefulSet|replicasets ReplicaSet|daemonsets DaemonSet"),
        ("batch", "v1", True, "jobs Job|cronjobs CronJob"),
        ("events.k8s.io", "v1", True, "events Event"),
        ("networking.k8s.io", "v1", True, "ingresses Ingress|networkpolicies NetworkPolicy"),
        ("storage.k8s.io", "v1", False, "storageclasses StorageClass"),
        ("autoscaling", "v1", True, "horizontalpodautoscalers HorizontalPodAutoscaler"),
        ("autoscaling", "v2", True, "horizontalpodautoscalers HorizontalPodAutoscaler"),
        ("streams.example.com", "v1", True, "kafkatopics KafkaTopic"),
        ("streams.example.com", "v1beta1", True, "kafkatopics KafkaTopic"),
    )
    for plural, kind in (pair.split() for pair in kinds.split("|"))
]


def _discovery(root: str) -> dict[str, Any]:
    groups = dict[str, dict[str, list[dict[str, Any]]]]()
    for one in RESOURCES:
        if (one.group == "") == (root == "/api"):
            entry = {
                "resource": one.plural,
                "responseKind": {"group": one.group, "version": one.version, "kind": one.kind},
                "scope": "Namespaced" if one.namespaced else "Cluster",
                "verbs": ["get", "list", "watch"],
            }
            groups.setdefault(one.group, {}).setdefault(one.version, []).append(entry)
    items = [
        {"metadata": {"name": name}, "versions": [{"version": version, "resources": entries} for version, entries in versions.items()]}
        for name, versions in groups.items()
    ]
    return {"kind": "APIGroupDiscoveryList", "items": items}


class Objects:
    """Lists of objects by path and selectors."""

    def __init__(self, objects: list[dict[str, Any]]) -> None:
        self._objects = objects

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path in ("/api", "/apis"):
            return 200, _discovery(path)
        parts = path.strip("/").split("/")
        version, rest = ("v1", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
        namespace, plural = (rest[1], rest[2]) if len(rest) == 3 else ("", rest[0])
        kinds = {one.kind for one in RESOURCES if one.plural == plural}
        found = [
            obj
            for obj in self._objects
            if obj["apiVersion"] == version and obj["kind"] in kinds and namespace in ("", obj["metadata"].get("namespace"))
        ]
        labels, (fields, phase) = parse_labels(form.get("labelSelector", "")), _fields(form.get("fieldSelector", ""))
        items = [
            {"metadata": obj["metadata"]}
            for obj in sorted(found, key=lambda one: (one["metadata"].get("namespace", ""), one["metadata"]["name"]))
            if all(one.selects(obj["metadata"].get("labels") or {}) for one in labels)
            and all((obj["metadata"].get(one.field.partition(".")[2]) == one.value) == one.is_equal for one in fields)
            and (not phase or (obj.get("status") or {}).get("phase") == phase)
        ]
        return 200, {"kind": "PartialObjectMetadataList", "metadata": {}, "items": items}


def _fields(text: str) -> tuple[Any, str]:
    """Return the terms of a field selector about metadata, and the phase that it wants."""
    terms = text.split(",")
    phase = next((term.partition("=")[2] for term in terms if term.startswith("status.phase=")), "")
    return parse_fields(",".join(term for term in terms if not term.startswith("status."))), phase


@contextmanager
def object_server() -> Iterator[str]:
    """Serve the objects of objects.json; yield the URL."""
    with served_json(Objects(json.loads((HERE / "objects.json").read_text())["items"]).answer) as url:
        yield url


def adapter(
    rules: RulesFile, prometheus: list[str], cluster: str, usage: UsageSource | None = None, families: Collection[str] = ()
) -> tuple[MetricsApis, RulesBackend]:
    """Return the APIs by rules over servers, after one discovery of series, and by the usage of agents."""

    def make_client() -> Client:
        return Client(lambda again: Cluster(cluster))

    servers = Servers([Prometheus(url) for url in prometheus])
    backend = RulesBackend(rules, servers, ClusterObjects(make_client), lambda: RestMapping(discover(make_client(), None).resources))
    backend.relist(600)
    return MetricsApis(backend, usage, families=families), backend


class Open:
    """A guard that lets every request pass."""

    def is_front_proxy(self, peer: object) -> bool:
        """Return True."""
        return True

    def check(self, *arguments: object) -> None:
        """Let it pass."""


def http_client(apis: MetricsApis) -> falcon.testing.TestClient:
    """Return a client of the HTTP application that serves the APIs."""
    return falcon.testing.TestClient(make_app(apis, {}, Open()))
