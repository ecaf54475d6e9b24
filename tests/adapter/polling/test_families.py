"""Families of kube_* from the agents that serve the shards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telegen.adapter.agents.connection import Identity
from telegen.adapter.agents.families import FamiliesReader
from tests.adapter.polling.wire import Behaviour, Certificates, Request, ScriptedAgent, respond, running, sends
from tests.shm.test_arena import Clock

TEXT = b"""# HELP kube_job_failed Failed jobs.
# TYPE kube_job_failed gauge
kube_job_failed{namespace="shop",job_name="a \\"quoted\\" one"} %d
kube_job_failed{namespace="bank",job_name="b"} 2
# HELP kube_other Another family.
# TYPE kube_other counter
kube_other_total{namespace="shop"} 3
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of the agents and of the adapter."""
    return Certificates(tmp_path_factory.mktemp("tls"))


class Site:
    """Agents that serve shards, and a reader that asks them."""

    def __init__(self, certificates: Certificates, *behaviours: Behaviour) -> None:
        self.agents = [ScriptedAgent(certificates.server(), behave) for behave in behaviours]
        self.holders = {number: agent.address for number, agent in enumerate(self.agents)}
        self.clock = Clock()
        self.identity: Identity | None = certificates.identity()
        self.reader = FamiliesReader(lambda: self.identity, lambda: self.holders, 1, 60.0, self.clock)

    def values(self, *names: str) -> dict[str, list[float]]:
        """Values by family."""
        return {name: [sample.value for sample in samples] for name, samples in self.reader.read(names).samples.items()}


@pytest.fixture
def start(certificates: Certificates) -> Iterator[Any]:
    """Return a function that starts agents with behaviours."""
    sites = list[Site]()

    def begin(*behaviours: Behaviour) -> Site:
        sites.append(Site(certificates, *behaviours))
        return sites[-1]

    yield begin
    for site in sites:
        site.reader.close()
        for agent in site.agents:
            agent.stop()


def test_samples_of_all_shards(start: Any) -> None:
    """Each agent that serves a shard is asked once for the names; samples have their labels, counters their own names."""
    site = start(sends(respond(TEXT % 1)), sends(respond(TEXT % 7)))
    answer = site.reader.read(["kube_job_failed", "kube_other_total"])
    assert answer.problem == "" and answer.time > 0
    assert sorted(sample.value for sample in answer.samples["kube_job_failed"]) == [1, 2, 2, 7]
    (first,) = (sample for sample in answer.samples["kube_job_failed"] if sample.value == 7)
    assert first.labels == {"namespace": "shop", "job_name": 'a "quoted" one'}
    assert [sample.value for sample in answer.samples["kube_other_total"]] == [3, 3]
    requests = [agent.requests for agent in site.agents]
    assert [[(one.path, one.query) for one in each] for each in requests] == [
        [("/adapter/v1/families", {"names": ["kube_job_failed,kube_other_total"]})]
    ] * 2


def test_answers_count_for_a_while(start: Any) -> None:
    """An answer counts for 15 s; other names are asked for separately."""
    site = start(sends(respond(TEXT % 1)))
    for now in (0.0, 14.0):
        site.clock.now = now
        assert site.values("kube_job_failed") == {"kube_job_failed": [1, 2]}
    assert len(site.agents[0].requests) == 1
    site.agents[0].behave = sends(respond(TEXT % 5))
    assert site.values("kube_job_failed", "kube_absent") == {"kube_job_failed": [5, 2]}
    assert site.values("kube_job_failed") == {"kube_job_failed": [1, 2]}
    site.clock.now = 15.0
    assert site.values("kube_job_failed") == {"kube_job_failed": [5, 2]}


def test_missing_shards(start: Any) -> None:
    """A shard that no agent serves is named, also one that an agent has served before."""
    site = start(sends(respond(TEXT % 1)))
    site.holders = {2: site.agents[0].address}
    assert site.reader.read(["kube_job_failed"]).problem == "no agent serves shard 0, 1 of kube_* families"
    site.holders, site.clock.now = {}, 100.0
    answer = site.reader.read(["kube_job_failed"])
    assert answer.problem == "no agent serves shard 0, 1, 2 of kube_* families" and not answer.samples and answer.time == 0


def test_fewer_shards(start: Any) -> None:
    """Five minutes after a cluster has got fewer shards, those that are gone are not missed any more; a problem lists ten at most."""
    site = start(sends(respond(TEXT % 1)))
    site.holders = {0: site.agents[0].address, 65535: site.agents[0].address}
    assert site.reader.read(["kube_job_failed"]).problem.endswith("shard 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 65524 more of kube_* families")
    del site.holders[65535]
    site.clock.now = 299.0
    assert "shard 1, 2" in site.reader.read(["kube_job_failed"]).problem
    site.clock.now = 302.0
    assert site.reader.read(["kube_job_failed"]).problem == ""


HOSTILE = {
    "error": (respond(b"no", 500), "HTTP 500"),
    "redirect": (respond(b"", 302, "Location: https://127.0.0.1:1/"), "HTTP 302"),
    "garbage": (b"garbage\r\n\r\n", ""),
    "half": (respond(TEXT % 1)[:-20], ""),
    "not text": (respond(b"\xff\xfe"), "not UTF-8"),
    "not samples": (respond(b'kube_job_failed{namespace="shop" x\n'), "not in the text format"),
    "no number": (respond(b"kube_job_failed many\n"), "not in the text format"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_agent(name: str, start: Any) -> None:
    """A wrong answer of one agent is a problem that names it; the samples of the others are there."""
    data, cause = HOSTILE[name]

    def behave(request: Request, connection: Any) -> None:
        connection.sendall(data)
        connection.close()

    site = start(behave, sends(respond(TEXT % 7)))
    answer = site.reader.read(["kube_job_failed"])
    assert answer.problem.startswith(f"agent {site.agents[0].address}: ") and cause in answer.problem
    assert {sample.value for sample in answer.samples["kube_job_failed"]} >= {7, 2}
    site.agents[0].behave, site.clock.now = sends(respond(TEXT % 1)), 3.0
    assert site.reader.read(["kube_job_failed"]).problem == ""


def test_untrusted_agent(certificates: Certificates, start: Any, tmp_path: Path) -> None:
    """An agent of another CA gets no request, and without certificates none is asked."""
    site = start(sends(respond(TEXT % 1)))
    site.agents[0].context = Certificates(tmp_path / "other").server()
    assert "certificate verify failed" in site.reader.read(["kube_job_failed"]).problem and not site.agents[0].requests
    site.identity, site.clock.now = None, 10.0
    assert "no client certificate" in site.reader.read(["kube_job_failed"]).problem


def test_slow_agent_delays_one_request_only(start: Any) -> None:
    """While one thread waits for an agent, others are given the last answer."""
    site, may_answer, is_asked = start(sends(respond(TEXT % 1))), threading.Event(), threading.Event()
    assert site.values("kube_job_failed") == {"kube_job_failed": [1, 2]}

    def slow(request: Request, connection: Any) -> None:
        is_asked.set()
        may_answer.wait(60)
        connection.sendall(respond(TEXT % 9))

    site.agents[0].behave, site.clock.now = slow, 20.0
    with running():
        asking = threading.Thread(target=site.values, args=("kube_job_failed",))
        asking.start()
        assert is_asked.wait(60)
        assert site.values("kube_job_failed") == {"kube_job_failed": [1, 2]}
        may_answer.set()
        asking.join(60)
    assert site.values("kube_job_failed") == {"kube_job_failed": [9, 2]}
