"""Poller against agents over TLS."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from telegen.adapter.agents.endpoints import Endpoint
from telegen.adapter.agents.poller import Poller, PollSettings
from telegen.adapter.agents.store import AgentStore
from telegen.shm.document_table import DocumentTable
from tests.adapter.polling.documents import document, encoded, pod, row
from tests.adapter.polling.wire import (
    SETTINGS,
    Certificates,
    Noted,
    Polling,
    ScriptedAgent,
    respond,
    running,
    sends,
    serves,
    settle,
)
from tests.shm.test_arena import Clock


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of the agents and of the adapter."""
    return Certificates(tmp_path_factory.mktemp("tls"))


MakeAgent = Callable[..., ScriptedAgent]
Poll = Callable[..., Polling]


@pytest.fixture
def make_agent(certificates: Certificates) -> Iterator[MakeAgent]:
    """Return a function that starts a good agent of a node with some pods."""
    agents = list[ScriptedAgent]()

    def make(node: str, *pods: dict[str, Any], **changes: Any) -> ScriptedAgent:
        agents.append(ScriptedAgent(certificates.server(), serves(lambda: document(node, *pods, **changes)), node))
        return agents[-1]

    yield make
    for agent in agents:
        agent.stop()


@pytest.fixture
def poll(certificates: Certificates) -> Iterator[Poll]:
    """Return a function that starts to poll some agents."""
    started = list[Polling]()

    def start(*agents: ScriptedAgent, **options: Any) -> Polling:
        started.append(Polling(options.pop("identity", certificates.identity()), **options))
        started[-1].follow(*agents)
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_usage_of_all_agents(poll: Poll, make_agent: MakeAgent) -> None:
    """Pods and nodes of several agents are read from shared memory with their values, labels and node."""
    first = make_agent("n1", pod("a", containers=("app", "proxy"), tier="web"), pod("b", "other"))
    began, polling = time.time(), poll(first, make_agent("n2", pod("c")))
    polling.until("three pods", lambda: polling.names() == ["a", "b", "c"])
    (one,) = polling.usage.pods("shop", "a")
    assert (one.namespace, one.node, one.labels, one.window) == ("shop", "n1", b'{"tier":"web"}', 10.0)
    assert one.containers == {name: {"cpu": 0.25, "memory": 1 << 20} for name in ("app", "proxy")}
    assert one.values == {"cpu_pressure": 0.1} and began - 1.1 < one.time < time.time() - 0.9
    polling.labels({"n1": b'{"zone":"a"}', "n2": b"{}"})
    nodes = {node.name: node for node in polling.usage.nodes()}
    assert sorted(nodes) == ["n1", "n2"] and nodes["n1"].labels == b'{"zone":"a"}'
    assert nodes["n1"].values == {"cpu": 1.5, "memory": 1 << 30}
    assert [node.name for node in polling.usage.nodes("n2")] == ["n2"]
    assert polling.names("shop") == ["a", "c"] and not list(polling.usage.pods("shop", "b"))
    assert [polling.usage.has_pod(*key) for key in (("other", "b"), ("shop", "b"), ("data", "a"))] == [True, False, False]
    assert [polling.usage.has_node(name) for name in ("n1", "n9")] == [True, False]


def test_objects_are_asked_for_once(poll: Poll, make_agent: MakeAgent) -> None:
    """Later polls use the same connection and name the generation; new usage is seen, the description is not written again."""
    agent = make_agent("n1", pod("a"))
    polling = poll(agent)
    polling.until("three polls", lambda: polling.noted.results == ["ok"] * 3)
    assert agent.connections == 1
    assert [request.query.get("generation") for request in agent.requests[:3]] == [None, ["g1"], ["g1"]]
    before, versions = next(polling.usage.pods("shop")).time, polling.table.versions()
    polling.until("newer usage", lambda: next(polling.usage.pods("shop")).time > before)
    assert polling.table.versions() == versions


def test_new_generation(poll: Poll, make_agent: MakeAgent) -> None:
    """Objects that come with a new generation replace those before; an index that was made before follows."""
    agent = make_agent("n1", pod("a"), pod("b", "other"))
    polling = poll(agent)
    polling.until("the first pods", lambda: polling.names() == ["a", "b"])
    agent.behave = serves(lambda: document("n1", pod("c"), generation="g2"))
    polling.until("the next pods", lambda: polling.names() == ["c"])
    assert not polling.names("other") and polling.names("shop") == ["c"]


def test_unchanged_document(certificates: Certificates, poll: Poll) -> None:
    """An agent that has nothing new answers 304; its usage stays."""
    fixed = document("n1", pod("a"))
    agent = ScriptedAgent(certificates.server(), serves(lambda: fixed), "n1")
    with running(agent):
        polling = poll(agent)
        polling.until("an answer without body", lambda: polling.noted.results[-2:] == ["unchanged", "unchanged"])
    assert polling.names() == ["a"] and not polling.noted.failures


def test_restarted_agent_is_no_failure(poll: Poll, make_agent: MakeAgent) -> None:
    """A kept connection that an agent ends between two polls, as a restart does, costs a new connection and nothing else."""
    agent = make_agent("n1", pod("a"))
    polling = poll(agent)
    polling.until("a poll", lambda: polling.noted.results == ["ok"])
    agent.hang_up()
    polling.until("more polls", lambda: len(polling.noted.results) == 3)
    assert polling.noted.results == ["ok"] * 3 and agent.connections == 2 and not polling.noted.failures


def shape(**changes: Any) -> bytes:
    """Return an answer with a document in which some fields are replaced."""
    return respond(encoded(document("n1", pod("a"), **changes)))


HOSTILE = {
    "garbage": (b"\x16\x03garbage without any line end", False, "malformed", "not HTTP/1.1"),
    "garbage line": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", False, "malformed", "not HTTP/1.1"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", True, "unreachable", "closed the connection"),
    "half a body": (shape()[:-5], True, "unreachable", "closed the connection"),
    "silence": (b"", False, "timeout", "no complete answer within"),
    "endless head": (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 5000, False, "malformed", "not HTTP/1.1"),
    "redirect": (respond(b"", 302, "Location: https://127.0.0.1:1/"), False, "refused", "HTTP 302"),
    "error": (respond(b"a\x1b[31mtrap\nsecond", 500), False, "refused", r"HTTP 500: a\?\[31mtrap$"),
    "not ready": (respond(b"the first pass is not over\n", 503), False, "not_ready", "the first pass is not over"),
    "304 unasked": (b"HTTP/1.1 304 Not Modified\r\n\r\n", False, "refused", "HTTP 304"),
    "huge": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", False, "malformed", "at most"),
    "flood": (respond(b"{}") + b"x" * 100, False, "malformed", "longer than its Content-Length"),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False, "malformed", "Content-Length"),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", False, "malformed", "Content-Length"),
    "header without colon": (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", False, "malformed", "malformed header"),
    "no json": (respond(b"<html>"), False, "malformed", "JSON is malformed"),
    "no object": (respond(b"[1]"), False, "malformed", "Expected `object`"),
    "deep": (respond(b'{"x":' + b"[" * 100_000), False, "malformed", ""),
    "not utf-8": (respond(b'{"node":"\xff"}'), False, "malformed", ""),
    "newer": (shape(version=2), False, "malformed", "version 2, this adapter reads version 1: update the adapter"),
    "older, in another form": (respond(b'{"version":0,"usage":[]}'), False, "malformed", "update the agent"),
    "other node": (respond(encoded(document("n2", pod("a")))), False, "malformed", "of node n2, the endpoint on node n1"),
    "more rows": (shape(pods=[row(1.0), row(1.0)]), False, "malformed", "2 rows for 1 pods"),
    "short row": (shape(pods=[[1.0, 10.0, [[0.1]], [0.1]]]), False, "malformed", "row 0 does not have the length"),
    "too few containers": (shape(pods=[[1.0, 10.0, [], [0.1]]]), False, "malformed", "row 0 does not have the length"),
    "row of words": (shape(pods=[["a", "b", [], []]]), False, "malformed", "Expected `float"),
    "later than its answer": (shape(pods=[row(time.time() + 3600)]), False, "malformed", "later than that of the answer"),
    "a time without end": (shape(node_usage=[1e300, 1.0, [0.1, 1]]), False, "malformed", "later than that of the answer"),
    "a window without end": (shape(pods=[[1.0, 1e308, [[0.1, 1]], [0.1]]]), False, "malformed", "a window is not"),
    "a negative window": (shape(pods=[[1.0, -1.0, [[0.1, 1]], [0.1]]]), False, "malformed", "a window is not"),
    "infinite": (shape().replace(b"0.25", b"9e999"), False, "malformed", ""),
    "name with a NUL": (shape(objects=[{**pod("a"), "name": "a\0b"}]), False, "malformed", "name"),
    "no generation": (shape(generation=""), False, "malformed", "generation"),
    "shard without end": (shape(shards=[1 << 40]), False, "malformed", "shards"),
    "node without columns": (shape(node_usage=[1.0, 1.0, []]), False, "malformed", "node_usage"),
    "generation unasked": (respond(encoded(document("n1", pod("a")), False)), False, "malformed", "without objects"),
}  # fmt: skip
"""By name: bytes that an agent sends, whether it ends the connection then, the result, and the cause."""


@pytest.fixture(scope="module")
def good(certificates: Certificates) -> Iterator[ScriptedAgent]:
    """An agent that is polled beside hostile ones."""
    agent = ScriptedAgent(certificates.server(), serves(lambda: document("good", pod("good"))), "good")
    with running(agent):
        yield agent


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_agent_harms_itself_only(name: str, certificates: Certificates, good: ScriptedAgent, poll: Poll) -> None:
    """A wrong answer of an agent is counted and named once; another agent is polled as ever, and nothing of it is stored."""
    data, ends, result, cause = HOSTILE[name]
    agent = ScriptedAgent(certificates.server(), sends(data, ends), "n1")
    settings = replace(SETTINGS, timeout=2.0) if result == "timeout" else SETTINGS
    with running(agent):
        polling = poll(agent, good, settings=settings)
        polling.until("failed polls", lambda: polling.noted.results.count(result) >= 2)
        polling.until("good polls", lambda: polling.noted.results.count("ok") >= 2)
    assert set(polling.noted.results) == {"ok", result}
    ((shown, kind, text),) = polling.noted.failures
    assert shown == f"{agent.address} (node n1)" and kind == result and re.search(cause, text), text
    assert polling.names() == ["good"]


@pytest.mark.parametrize("name", ["certificate of another CA", "no TLS"])
def test_agent_that_is_not_trusted(name: str, certificates: Certificates, poll: Poll, tmp_path: Path) -> None:
    """An agent without a certificate of the adapter's CA gets no request."""
    context = None if name == "no TLS" else Certificates(tmp_path / "other").server()
    agent = ScriptedAgent(context, serves(lambda: document("n1", pod("a"))), "n1")
    agent.greeting = b"" if context else respond(b"this is plain HTTP", 400)
    with running(agent):
        polling = poll(agent)
        polling.until("failed polls", lambda: polling.noted.results.count("tls") >= 2)
    assert set(polling.noted.results) == {"tls"} and len(polling.noted.failures) == 1
    assert not [request for request in agent.requests if request.path] and not polling.names()


def test_certificate_of_another_name(certificates: Certificates, poll: Poll, tmp_path: Path) -> None:
    """A certificate of the right CA for another name is refused, and the name that is needed is logged."""
    agent = ScriptedAgent(certificates.server(), serves(lambda: document("n1", pod("a"))), "n1")
    identity = certificates.identity()._replace(server_name="telegen-agents.other.svc")
    with running(agent):
        polling = poll(agent, identity=identity)
        polling.until("a failed poll", lambda: bool(polling.noted.failures))
    assert polling.noted.failures[0][1:] == ("tls", "the certificate of the agent is not for telegen-agents.other.svc")
    assert not agent.requests


def test_agent_that_refuses_the_client(certificates: Certificates, poll: Poll, tmp_path: Path) -> None:
    """An agent that does not trust the adapter's certificate is a failure of TLS, with OpenSSL's reason."""
    other = Certificates(tmp_path / "other")
    identity = certificates.identity()
    identity.context.load_cert_chain(*other.adapter)
    agent = ScriptedAgent(certificates.server(), serves(lambda: document("n1", pod("a"))), "n1")
    with running(agent):
        polling = poll(agent, identity=identity)
        polling.until("a failed poll", lambda: bool(polling.noted.failures))
    assert polling.noted.failures[0][1] == "tls" and re.search("unknown ca|may not trust", polling.noted.failures[0][2])


def test_certificates_change(certificates: Certificates, make_agent: MakeAgent, poll: Poll, tmp_path: Path) -> None:
    """After a rotation each agent is asked over a new connection with the new certificates, without a failure."""
    agent = make_agent("n1", pod("a"))
    polling = poll(agent)
    polling.until("a poll", lambda: polling.noted.results == ["ok"])
    successor = Certificates(tmp_path / "next")
    agent.context = successor.server()
    polling.identity = successor.identity(number=2)
    polling.until("more polls", lambda: len(polling.noted.results) == 3)
    assert polling.noted.results == ["ok"] * 3 and agent.connections == 2


def test_no_poll_without_certificates(certificates: Certificates, make_agent: MakeAgent, poll: Poll) -> None:
    """Before there are certificates no agent is asked; with the first ones polling begins."""
    agent = make_agent("n1", pod("a"))
    polling = poll(agent, identity=None)
    settle(polling, 0.3)
    assert not agent.connections and not polling.noted.results
    polling.identity = certificates.identity()
    polling.until("a poll", lambda: polling.noted.results == ["ok"])


def test_failing_agent_recovers(make_agent: MakeAgent, poll: Poll) -> None:
    """An agent that answers again is logged as recovered; another cause of the failure is logged too, one of them once."""
    agent = make_agent("n1", pod("a"))
    good, agent.behave = agent.behave, sends(respond(b"busy", 503))
    polling = poll(agent)
    polling.until("two failures", lambda: polling.noted.results == ["not_ready"] * 2)
    agent.behave = sends(respond(b"lost", 500))
    polling.until("another failure", lambda: polling.noted.results[-1] == "refused")
    agent.behave = good
    polling.until("a good poll", lambda: polling.noted.results[-1] == "ok")
    assert [cause for _, _, cause in polling.noted.failures] == ["HTTP 503: busy", "HTTP 500: lost"]
    assert polling.noted.recoveries == [f"{agent.address} (node n1)"] and polling.names() == ["a"]


def test_malformed_document_is_followed_by_a_whole_one(make_agent: MakeAgent, poll: Poll) -> None:
    """After a malformed document the agent is asked for all, whatever is stored of it; that stays meanwhile."""
    agent = make_agent("n1", pod("a"))
    good = agent.behave
    polling = poll(agent)
    polling.until("a good poll", lambda: polling.noted.results == ["ok"])
    agent.behave = sends(shape(generation="g7").replace(b'"objects"', b'"objectz"'))
    polling.until("a bad poll", lambda: polling.noted.results[-1] == "malformed")
    assert polling.names() == ["a"]
    agent.behave = good
    polling.until("a good poll", lambda: polling.noted.results[-1] == "ok")
    assert "generation" not in agent.requests[-1].query and "if-none-match" not in agent.requests[-1].headers


class Scheduled:
    """A poller on a clock that tests set, with agents on a port that refuses connections."""

    def __init__(self, identity: Any, agents: int, settings: PollSettings) -> None:
        self.clock, self.noted = Clock(), Noted()
        self.clock.now = 1000.0
        store = AgentStore.load(DocumentTable("test", 8, 1 << 16), 60.0)
        self.poller = Poller(store, lambda: identity, self.noted, settings, self.clock)
        endpoints = [Endpoint(f"127.0.{number >> 8}.{number & 255}", 1, f"n{number}", True) for number in range(agents)]
        self.poller.set_endpoints({endpoint.address: endpoint for endpoint in endpoints})


def test_dead_agent_is_polled_less_often(certificates: Certificates) -> None:
    """The time between polls of an agent that does not answer doubles up to the longest, and its failure is one log line."""
    scheduled = Scheduled(certificates.identity(), 1, PollSettings(interval=15.0, timeout=10.0, longest=60.0))
    (agent,) = scheduled.poller.agents.values()
    gaps = []
    for _ in range(6):
        assert agent.due
        scheduled.clock.now = due = agent.due
        wait = len(scheduled.noted.results) + 1
        while len(scheduled.noted.results) < wait:
            scheduled.poller.turn()
        gaps.append(agent.due - due)
    scheduled.poller.close()
    assert [round(gap) for gap in gaps[1:]] == [15, 30, 60, 60, 60] and 7 < gaps[0] < 23
    assert len(scheduled.noted.failures) == 1 and set(scheduled.noted.results) == {"unreachable"}


def test_polls_are_spread_over_the_interval(certificates: Certificates) -> None:
    """The first polls of many agents begin all over the interval, so that handshakes do not come at once."""
    scheduled = Scheduled(certificates.identity(), 5000, PollSettings(interval=15.0, timeout=10.0, longest=60.0))
    due = [agent.due for agent in scheduled.poller.agents.values() if agent.due]
    scheduled.poller.close()
    tenths = [sum(1000.0 + 1.5 * tenth <= one < 1001.5 + 1.5 * tenth for one in due) for tenth in range(10)]
    assert sum(tenths) == 5000 and min(tenths) > 400 and max(tenths) < 600


def test_few_agents_are_polled_at_once(certificates: Certificates) -> None:
    """A small cluster does not wait for an interval: the first polls begin within some milliseconds per agent."""
    scheduled = Scheduled(certificates.identity(), 20, PollSettings(interval=15.0, timeout=10.0, longest=60.0))
    assert all(agent.due and agent.due < 1000.1 for agent in scheduled.poller.agents.values())
    scheduled.poller.close()


def test_agent_that_left_the_slices(make_agent: MakeAgent, poll: Poll) -> None:
    """It is not polled any more. Its usage stays until it is old, or until another agent of its node answers."""
    first, second = make_agent("n1", pod("a")), make_agent("n1", pod("a"), pod("b"))
    polling = poll(first)
    polling.until("the pods of the first", lambda: polling.names() == ["a"])
    polling.follow(second)
    polling.store.keep({second.address: None}, nodes_known=False)
    polls = len(first.requests)
    assert polling.names() == ["a"]
    polling.until("the pods of the second", lambda: polling.names() == ["a", "b"])
    polling.store.keep({second.address: None}, nodes_known=False)
    assert list(polling.store.agents) == [second.address] and polling.names() == ["a", "b"]
    assert len(first.requests) == polls
    polling.store.clock = lambda: time.time() + 61
    polling.store.keep({}, nodes_known=False)
    assert not polling.store.agents and not polling.names() and not list(polling.usage.nodes())


def test_agent_without_pods_is_no_successor(make_agent: MakeAgent, poll: Poll) -> None:
    """The usage of an agent that left stays while one that serves kube_* alone answers on its node; a shard is that one's."""
    left, other = make_agent("n1", pod("a")), make_agent("n1", shards=[0], node_usage=None)
    polling = poll(left, other)
    polling.until("both", lambda: len(polling.store.agents) == 2)
    polling.follow(other)
    polling.store.keep({other.address: None}, nodes_known=False)
    assert polling.names() == ["a"] and [one.name for one in polling.usage.nodes()] == ["n1"]
    assert polling.store.holders() == {0: other.address}


def test_deleted_node(make_agent: MakeAgent, poll: Poll) -> None:
    """After the deletion of a node with its agent, its pods and its usage go at once."""
    agent = make_agent("n1", pod("a"))
    polling = poll(agent)
    polling.until("its pods", lambda: polling.names() == ["a"])
    polling.labels({"n2": b"{}"})
    polling.store.keep({agent.address: None}, nodes_known=True)
    assert polling.names() == ["a"]
    polling.follow()
    polling.store.keep({}, nodes_known=True)
    assert not polling.names() and not list(polling.usage.nodes())


def test_crash_of_the_poller_loses_nothing(make_agent: MakeAgent, poll: Poll) -> None:
    """A new poller over the same memory serves what its predecessor has stored, and asks only for what it lacks."""
    agent = make_agent("n1", pod("a"), shards=[2])
    first = poll(agent)
    first.until("its pods", lambda: first.names() == ["a"])
    requests = len(agent.requests)
    second = poll(agent, table=first.table)
    assert second.names() == ["a"] and second.store.holders() == {2: agent.address}
    versions = second.table.versions()
    second.until("a poll", lambda: second.noted.results == ["ok"])
    assert agent.requests[requests].query == {"generation": ["g1"]} and second.table.versions() == versions
