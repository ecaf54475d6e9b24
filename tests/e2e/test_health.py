"""Health of more kinds than are watched, of a simulated cluster."""

from __future__ import annotations

import re

import pytest

from telegen.demo.server import SimulatedServer
from tests.bench.custom_cluster import make_state
from tests.harness import start_agent
from workers._custom.kind_limits import WATCHES

pytestmark = pytest.mark.timeout(120)
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  kube_state:
    apiserver: {api}
    custom_resource_state: {{health: auto, only: true}}
  cadvisor: {{enabled: false}}
"""
KINDS, OBJECTS = WATCHES + 4, 3


def test_more_kinds_than_watches() -> None:
    """The objects of the kinds beyond the limit are counted, and the status page has a line about them."""
    server = SimulatedServer(make_state(KINDS, OBJECTS)).start()
    try:
        with start_agent(CONFIG, api=server.url) as agent:
            agent.wait_ready(40)

            def counts(page: str) -> tuple[int, ...]:
                watched = re.findall(r"^telegen_customresource_ready\{", page, re.MULTILINE)
                counted = re.findall(rf'^telegen_customresource_objects\{{.*,namespace=""\}} {OBJECTS}$', page, re.MULTILINE)
                truncated = re.findall(r"^telegen_customresource_truncated\{.*\} 1$", page, re.MULTILINE)
                return len(watched), len(counted), len(truncated)

            agent.wait_page("all kinds", lambda page: counts(page) == (WATCHES * OBJECTS, 4, 4), 30)
            assert f"health: 4 kinds are only counted, as {WATCHES} others with objects are watched" in agent.page("/readyz")
    finally:
        server.stop()


def numbers(page: str, family: str, *labels: str) -> dict[tuple[str, ...], int]:
    """Return the numbers of a family by some of its labels."""
    found: dict[tuple[str, ...], int] = {}
    for series, number in re.findall(rf"^{family}\{{(.*)\}} (\d+)$", page, re.MULTILINE):
        pairs = dict(re.findall(r'(\w+)="([^"]*)"', series))
        key = tuple(pairs[label] for label in labels)
        assert key not in found
        found[key] = int(number)
    return found


def test_shards() -> None:
    """Two agents divide the objects: their numbers have the shard as label and add up, and definitions are shown by one of them."""
    server = SimulatedServer(make_state(2, 40)).start()
    pages = []
    try:
        for shard in (0, 1):
            text = CONFIG.replace("kube_state:", f"kube_state:\n    total_shards: 2\n    shard: {shard}")
            with start_agent(text, api=server.url) as agent:
                agent.wait_ready(30)
                agent.wait_page("the numbers", lambda page: "telegen_customresource_objects{" in page)
                pages.append(agent.page())
    finally:
        server.stop()
    for shard, page in enumerate(pages):
        assert {key[0] for key in numbers(page, "telegen_customresource_objects", "shard", "kind", "namespace")} == {str(shard)}
    found = [sum(numbers(page, "telegen_customresource_objects", "kind", "namespace").values()) for page in pages]
    assert sum(found) == 80 and 0 < found[0] < 80
    assert [page.count("\ntelegen_crd_info{") for page in pages] == [2, 0]


def test_namespaces() -> None:
    """Only objects of the selected namespaces are counted, each kind once."""
    server = SimulatedServer(make_state(2, 80)).start()
    try:
        with start_agent(CONFIG.replace("kube_state:", "kube_state:\n    namespaces: [team-1, team-2]"), api=server.url) as agent:
            agent.wait_ready(30)
            agent.wait_page("the numbers", lambda page: "telegen_customresource_objects{" in page)
            page = agent.page()
    finally:
        server.stop()
    wanted = {(kind, namespace): 2 for kind in ("Thing0", "Thing1") for namespace in ("team-1", "team-2")}
    assert numbers(page, "telegen_customresource_objects", "kind", "namespace") == wanted
    assert set(numbers(page, "telegen_customresource_oldest_unready_timestamp_seconds", "kind")) == {("Thing0",), ("Thing1",)}


def test_selector_beside_health() -> None:
    """A selector of metrics with expressions holds for these metrics alone: the health counts all objects."""
    resource, metrics = "{{group: bench.example, kind: Thing0}}", "[{{name: seen, value: 1}}]"
    entry = f"{{{{resource: {resource}, prefix: own, selector: {{{{labels: tier=web}}}}, metrics: {metrics}}}}}"
    server = SimulatedServer(make_state(1, 10)).start()
    try:
        with start_agent(CONFIG.replace("only: true", f"only: true, metrics: [{entry}]"), api=server.url) as agent:
            agent.wait_ready(30)
            agent.wait_page("the numbers", lambda page: "telegen_customresource_objects{" in page)
            page = agent.page()
    finally:
        server.stop()
    assert sorted(numbers(page, "own_seen", "name")) == [(f"thing-{number}",) for number in range(0, 10, 2)]
    assert sum(numbers(page, "telegen_customresource_objects", "namespace").values()) == 10
