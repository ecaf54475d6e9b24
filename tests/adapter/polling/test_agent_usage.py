"""Usage as web processes read it from the stored documents."""

from __future__ import annotations

import time
from typing import Any

import pytest

from telegen.adapter.agents import status
from telegen.adapter.agents.agent_usage import SILENT, AgentUsage
from telegen.adapter.agents.claims import CONTESTED
from telegen.adapter.agents.store import AgentStore
from telegen.shm.document_table import DocumentTable
from telegen.shm.shared_document import SharedDocument
from tests.adapter.polling.documents import document, encoded, pod, row
from tests.adapter.polling.wire import NoFamilies


class Stored:
    """A table, its writer, and a web process that reads it. Documents come by function call here; see `test_poller` for the wire."""

    def __init__(self) -> None:
        self.now = 0.0
        self.table, self.status = DocumentTable("test", 16, 1 << 20), SharedDocument("test", 1 << 16)
        self.store = AgentStore.load(self.table, staleness=60.0)
        self.left_out = list[str]()
        self.usage = AgentUsage(self.table, self.status, NoFamilies(), 60.0, lambda: time.time() + self.now, self.left_out.append)

    def accept(self, address: str, *pods: dict[str, Any], **changes: Any) -> None:
        """Store a document of an agent on the node of its name."""
        self.store.accept(address, "", encoded({**document(f"node-{address}", *pods), **changes}), time.time())

    def names(self, namespace: str = "") -> list[str]:
        """Names of the pods, in their order."""
        return [one.name for one in self.usage.pods(namespace)]

    def rendered(self, namespace: str = "") -> list[str]:
        """Names of the pods of a list, in their order."""
        return [one.name for one in self.usage.rendered_pods(namespace, lambda one: "{}")]


def test_frozen_agent_drops_out() -> None:
    """Usage of an agent that sends nothing new is left out once it is older than max_staleness, never shown as zero."""
    stored = Stored()
    stored.accept("a", pod("old"))
    stored.now = 58
    assert stored.names() == ["old"] and [node.name for node in stored.usage.nodes()] == ["node-a"]
    stored.now = 60
    assert not stored.names() and not list(stored.usage.nodes())


def test_pods_without_usage_are_absent() -> None:
    """A pod whose row is null is left out; the others of its agent are there."""
    stored = Stored()
    stored.accept("a", pod("x"), pod("y"), pods=[None, row(time.time())], node_usage=None)
    assert stored.names() == ["y"] and not list(stored.usage.nodes())


def test_clock_of_an_agent_is_corrected() -> None:
    """Times of an agent whose clock is 100 s ahead or behind are shown by the adapter's clock, and judged by it."""
    for ahead in (100.0, -100.0):
        stored, moment = Stored(), time.time()
        changes = {"sent": moment + ahead, "pods": [row(moment + ahead - 5)], "node_usage": [moment + ahead - 5, 10.0, [1, 1]]}
        stored.accept("a", pod("x"), **changes)
        (one,), (node,) = stored.usage.pods("shop"), stored.usage.nodes()
        assert abs(one.time - (moment - 5)) < 1 and abs(node.time - (moment - 5)) < 1
        assert abs(stored.store.agents["a"].offset - ahead) < 1
        stored.now = 57
        assert not stored.names()


def test_small_differences_of_clocks_are_not_corrected() -> None:
    """A document that took a second to arrive does not change its times."""
    stored, moment = Stored(), time.time()
    stored.accept("a", pod("x"), sent=moment - 1.5, pods=[row(moment - 5)])
    (one,) = stored.usage.pods("shop")
    assert one.time == moment - 5 and stored.store.agents["a"].offset == 0


def test_pod_of_two_agents_is_shown_once() -> None:
    """Of two agents of a node, one of which replaces the other, the newer usage of a pod counts."""
    for newer in (0, 1):
        stored, now = Stored(), time.time()
        for number, agent in enumerate("ab"):
            stored.accept(agent, pod("web-0"), node="n1", pods=[row(now - (0 if number == newer else 20), cpu=number)])
        (one,) = stored.usage.pods("shop")
        assert one.containers["app"]["cpu"] == newer and len(stored.names()) == 1 and not stored.left_out


def test_pod_of_two_nodes_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """An agent does not speak for a pod of another node, however new its usage is: the pod is absent until one of both is silent."""
    stored, now = Stored(), time.time()
    stored.accept("a", pod("web-0"), pod("web-1"), pods=[row(now - 20, cpu=0.5), row(now - 20)])
    stored.accept("b", pod("web-0"), pod("db-0"), pods=[row(now + 50, cpu=64.0), row(now)])
    for names in (stored.names("shop"), stored.names(), stored.rendered("shop"), stored.rendered("")):
        assert sorted(names) == ["db-0", "web-1"]
    assert not list(stored.usage.pods("shop", "web-0")) and stored.usage.has_pod("shop", "web-0")
    assert set(stored.left_out) == {CONTESTED}
    assert "pod shop/web-0: the agents of the nodes node-a and node-b both report it" in caplog.text
    stored.now = 45
    assert stored.names("shop") == stored.rendered("shop") == ["web-0", "db-0"]


def test_node_of_two_agents_is_shown_once() -> None:
    """While an agent is replaced, the newer usage of its node counts."""
    stored, now = Stored(), time.time()
    for address, age in (("a", 20.0), ("b", 1.0)):
        stored.accept(address, node="n1", node_usage=[now - age, 10.0, [age, 1]])
    assert [node.values["cpu"] for node in stored.usage.nodes("n1")] == [1.0] and len(list(stored.usage.nodes())) == 1


def test_columns_are_read_by_name() -> None:
    """Agents of other versions may have other columns, in another order, and fields that are not known here."""
    stored, now = Stored(), time.time()
    columns = {"container_metrics": ["new", "memory", "cpu"], "pod_metrics": [], "node_metrics": ["cpu"], "version": 7, "more": {}}
    stored.accept("a", pod("x"), pods=[[now, 5.0, [[None, 7, 0.5]], []]], node_usage=[now, 5.0, [2]], **columns)
    stored.accept("b", pod("y"))
    x, y = sorted(stored.usage.pods("shop"), key=lambda one: one.name)
    assert x.containers == {"app": {"new": None, "memory": 7, "cpu": 0.5}} and x.values == {}
    assert y.containers["app"]["cpu"] == 0.25 and y.values == {"cpu_pressure": 0.1}


def test_namespaces_are_sorted() -> None:
    """A list of all namespaces has them in the order of their names, and each once."""
    stored = Stored()
    stored.accept("a", pod("1", "z"), pod("2", "b"))
    stored.accept("b", pod("3", "b"), pod("4", "a"))
    assert [one.namespace for one in stored.usage.pods("")] == ["a", "b", "b", "z"]
    assert not stored.names("unknown") and not list(stored.usage.nodes("unknown"))


def test_description_that_changes_while_it_is_used() -> None:
    """A reader that knows an older description of an agent does not mix its pods with the newer usage."""
    stored = Stored()
    stored.accept("a", pod("x"), pod("y"))
    assert stored.names("shop") == ["x", "y"]
    iterator = stored.usage.pods("shop")
    stored.accept("a", pod("y", containers=("app", "proxy")), generation="g2")
    (one,) = iterator
    assert one.name == "y" and list(one.containers) == ["app", "proxy"]


def test_problem_is_that_of_the_poller() -> None:
    """Before the first status, while the poller names a problem, and when the poller is silent, usage is not available."""
    stored = Stored()
    assert stored.usage.problem() == "no agent was polled yet"
    stored.status.write(status.encode(status.PollStatus(time.monotonic(), problem="1 of 2 agents answer")))
    assert stored.usage.problem() == "1 of 2 agents answer"
    stored.status.write(status.encode(status.PollStatus(time.monotonic(), problem="")))
    assert stored.usage.problem() == ""
    stored.status.write(status.encode(status.PollStatus(time.monotonic() - SILENT - 1, problem="")))
    assert "were not polled for 31 s" in stored.usage.problem()


def test_labels_that_do_not_fit_leave_the_last_ones() -> None:
    """Polling goes on when the memory of the documents is full."""
    table = DocumentTable("test", 8, 1 << 14)
    store = AgentStore.load(table, 60.0)
    store.set_labels({"n1": b'{"zone":"a"}'})
    store.accept("n1:1", "n1", encoded(document("n1", pod("a"))), time.time())
    store.set_labels({"n1": b'{"zone":"%b"}' % bytes(1 << 15)})
    usage = AgentUsage(table, SharedDocument("test", 1 << 10), NoFamilies(), 60.0)
    assert [node.labels for node in usage.nodes()] == [b'{"zone":"a"}']
