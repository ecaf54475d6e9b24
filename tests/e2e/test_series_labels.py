"""A running agent with `labels_on_series`: the labels of namespaces, and their changes."""

from __future__ import annotations

from typing import Any

from telegen.demo.server import SimulatedServer
from telegen.demo.state import State
from telegen.kubestate.registry import RESOURCES
from tests.harness import start_agent

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  kube_state:
    apiserver: {url}
    resources: [pods, nodes]
    labels_on_series: {{labels: {{pods: [app]}}, namespace_labels: [team]}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 50ms, backoff_max: 500ms}}
"""


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": f"ns-{name}", "labels": labels}}


def pod(name: str, in_: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": in_, "uid": f"pod-{name}", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": "web"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": {}}


def line(name: str, in_: str, team: str) -> str:
    of_namespace = f',namespace_label_team="{team}"' if team else ""
    return f'kube_pod_created{{namespace="{in_}",pod="{name}",uid="pod-{name}",label_app="web"{of_namespace}}} 1767225600\n'


def test_labels_of_namespaces_follow() -> None:
    """The first page has the labels of namespaces; a changed label, and a namespace that arrives after its pod, reach the page."""
    state = State()
    for resource in RESOURCES.values():
        state.define(resource.name, resource.kind, resource.api_version)
    state.put("namespaces", namespace("shop", team="a", other="x"))
    state.put("pods", pod("web-1", "shop"))
    server = SimulatedServer(state).start()
    try:
        with start_agent(CONFIG, url=server.url) as agent:
            agent.wait_ready()
            assert line("web-1", "shop", "a") in agent.page()
            state.put("namespaces", namespace("shop", team="b"))
            agent.wait_page("the changed label", lambda page: line("web-1", "shop", "b") in page)
            state.put("pods", pod("late-1", "late"))
            agent.wait_page("the pod without its namespace", lambda page: line("late-1", "late", "") in page)
            state.put("namespaces", namespace("late", team="c"))
            agent.wait_page("the labels of its namespace", lambda page: line("late-1", "late", "c") in page)
            state.put("namespaces", namespace("shop"))
            agent.wait_page("the end of the label", lambda page: line("web-1", "shop", "") in page)
    finally:
        server.stop()
