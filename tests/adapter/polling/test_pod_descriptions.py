"""Pods as text, kept between two documents of an agent, and their descriptions."""

from __future__ import annotations

import time
from typing import Any

import pytest

from telegen.adapter.agents.agent_usage import AgentUsage
from telegen.adapter.agents.store import AgentStore
from telegen.adapter.agents.usage import PodUsage
from telegen.shm.document_table import DocumentTable
from telegen.shm.shared_document import SharedDocument
from tests.adapter.polling.documents import document, encoded, pod, row
from tests.adapter.polling.wire import NoFamilies


class Adapter:
    """A store of documents, and the usage that is read from it.

    Attributes:
        rendered: names of the pods in the order in which they were rendered.
        now: clock of the reader.
    """

    def __init__(self) -> None:
        table = DocumentTable("test", 8, 1 << 20)
        self.store, self.rendered, self.now = AgentStore.load(table, 60.0), list[str](), time.time()
        self.usage = AgentUsage(table, SharedDocument("test", 1 << 10), NoFamilies(), 60.0, lambda: self.now)

    def accept(self, node: str, *pods: dict[str, Any], **changes: Any) -> None:
        """Store a document."""
        self.store.accept(f"{node}:1", node, encoded(document(node, *pods, **changes)), time.time())

    def list(self, namespace: str) -> dict[str, str]:
        """Return the texts by name."""
        return {one.name: one.text for one in self.usage.rendered_pods(namespace, self._render)}

    def _render(self, one: PodUsage) -> str:
        self.rendered.append(one.name)
        return f"{one.containers['app']['cpu']}"


@pytest.fixture
def adapter() -> Adapter:
    return Adapter()


def test_pods_are_rendered_once_per_usage(adapter: Adapter) -> None:
    """Only pods of an agent with newer usage, or with other pods, are rendered again."""
    adapter.accept("n1", pod("a"), pod("b"))
    adapter.accept("n2", pod("c"), pod("d", "data"))
    for _ in range(3):
        assert adapter.list("shop") == {"a": "0.25", "b": "0.25", "c": "0.25"}
    assert adapter.list("") == {"d": "0.25", "a": "0.25", "b": "0.25", "c": "0.25"}
    assert adapter.rendered == ["a", "b", "c", "d"]
    adapter.accept("n2", pod("c"), pod("d", "data"), pods=[row(adapter.now, cpu=2.0), row(adapter.now)])
    assert adapter.list("shop") == {"a": "0.25", "b": "0.25", "c": "2.0"}
    adapter.accept("n1", pod("e"), generation="g2")
    assert adapter.list("shop") == {"e": "0.25", "c": "2.0"}
    assert adapter.rendered[4:] == ["c", "e"]


def test_old_pods_are_left_out(adapter: Adapter) -> None:
    """Texts that are kept get old like usage; of two nodes that report a pod, the one whose usage is old does not count."""
    adapter.accept("n1", pod("a"), pod("b"), pods=[row(adapter.now - 50, cpu=1.0), row(adapter.now - 5)])
    adapter.accept("n2", pod("a"), pods=[row(adapter.now - 40, cpu=2.0)])
    assert adapter.list("shop") == {"b": "0.25"}
    adapter.now += 15
    assert adapter.list("shop") == {"a": "2.0", "b": "0.25"}
    adapter.now += 15
    assert adapter.list("shop") == {"b": "0.25"}
    adapter.now += 40
    assert adapter.list("shop") == {}


def test_bound(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the namespaces that were used first are dropped, and read again."""
    monkeypatch.setattr("telegen.adapter.agents.pod_descriptions.MOST", 2)
    for name in ("a", "b", "c"):
        adapter.accept(f"n-{name}", pod(name, name))
    for namespace in ("a", "b", "b", "c", "a"):
        assert adapter.list(namespace) == {namespace: "0.25"}
    assert adapter.rendered == ["a", "b", "c", "a"]
