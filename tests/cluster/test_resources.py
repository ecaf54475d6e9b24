"""All 39 resources through the running agent and a real kube-apiserver: parity with kube-state-metrics, and churn.

The recorded pages are those of the default version. On the others kube-state-metrics itself runs beside the agent; the table of what
was measured is printed (pytest -s).
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from telegen.cli.main import main
from telegen.kubestate.registry import RESOURCES
from telegen.metrics.render import identity_text
from tests.cluster.binaries import Programs
from tests.cluster.cases import CASES, Made, create, create_all, settings
from tests.cluster.control_plane import ADMIN, ControlPlane, Object, Refused
from tests.cluster.peer import peer
from tests.cluster.test_peer import FLAGS
from tests.harness import Agent, start_agent
from tests.kubestate.parity import Page, difference, parse, repeated
from tests.kubestate.test_parity import OURS
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state:
    kubeconfig: {kubeconfig}
    resources: [%s]
    labels_allowlist: {{"*": ["*"]}}
    annotations_allowlist: {{"*": ["*"]}}
    metric_opt_in_list: [".*"]
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 100ms, backoff_max: 1s}}
""" % ", ".join(RESOURCES)
LABEL = re.compile(r'[a-zA-Z0-9_]+="(?:[^"\\]|\\.)*",?', re.DOTALL)
SERVERS = re.compile("_(created|deleted|deletion_timestamp|metadata_generation|metadata_resource_version)$")
"""Families that show what the server decides."""
ACCEPTED = 385
"""Of 397 objects; a current server refuses 6 that got in by ways around its checks."""

ROUNDS = 8

Samples = dict[str, dict[str, dict[str, float]]]
"""Identity labels → family → series → value."""


@pytest.fixture(scope="module")
def plane(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane for the cases alone: quotas and limits among them would disturb other tests."""
    with ControlPlane.running(programs, tmp_path_factory.mktemp("cases"), *settings(programs.minor)) as running:
        yield running


@pytest.fixture(scope="module")
def made(plane: ControlPlane) -> list[Made]:
    """The objects of all cases."""
    return create_all(plane)


@pytest.fixture
def kubeconfig(plane: ControlPlane, tmp_path: Path) -> Path:
    """A kubeconfig of the administrator: the agent's account has no rights to resources that are off by default."""
    return plane.kubeconfig(tmp_path / "kubeconfig", ADMIN)


def by_identity(resource: str, page: Page) -> Samples:
    """Return the samples of a resource's families by object."""
    count = len(RESOURCES[resource].identity)
    found: Samples = defaultdict(lambda: defaultdict(dict))
    for family in RESOURCES[resource].families:
        for series, value in page.get(family.name, ("", {}))[1].items():
            labels = LABEL.findall(series.partition("{")[2])[:count]
            found["".join(labels).rstrip(",")][family.name][series] = value
    return found


def wanted_of(one: Made, families: Iterable[str], recorded: Samples) -> dict[str, dict[str, float]]:
    """Return the recorded samples of kube-state-metrics for an object by family, {} for a family without samples.

    They get the UID that this server has set. Families whose values the server decides are left out.
    """
    before, now = identity_of(one.resource, one.wanted), identity_of(one.resource, one.made or {})
    unscheduled = "lastScheduleTime" not in one.wanted.get("status", {})
    return {
        family: {series.replace(before, now, 1): value for series, value in recorded[before][family].items()}
        for family in families
        if not SERVERS.search(family) and not (family == "kube_cronjob_next_schedule_time" and unscheduled)
    }


def identity_of(resource: str, obj: Object) -> str:
    """Return the leading labels of an object's samples."""
    return identity_text(RESOURCES[resource].identity)(obj)


def lines(text: str) -> list[str]:
    """The samples of a page, sorted."""
    return sorted(line for line in text.split("\n") if line.startswith("kube_"))


def served(plane: ControlPlane) -> list[str]:
    """Return the resources that the server has; older servers lack some."""
    return [name for name in RESOURCES if not plane.lacks(name)]


def rendered(plane: ControlPlane, agent: Agent, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the samples of `telegen render` for all objects of the server, with the agent's own configuration."""
    objects = [obj for name in served(plane) for obj in plane.objects(RESOURCES[name].path())]
    (folder / "objects.json").write_text(json.dumps({"kind": "List", "items": objects}))
    assert main(["render", str(folder / "objects.json"), "--config", str(agent.config)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return lines(printed.out)


def settles(plane: ControlPlane, agent: Agent, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wait until the page equals `telegen render` for the objects, line for line, each line once."""
    wait_for("the page", lambda: lines(agent.page_if_up()) == rendered(plane, agent, folder, capsys), 40, 0.5)
    assert repeated(agent.page()) == []


def test_parity(
    plane: ControlPlane, made: list[Made], kubeconfig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The agent's page says of each object what kube-state-metrics said of it, and equals `telegen render`."""
    taken = [one for one in made if one.same]
    assert len(taken) >= ACCEPTED, [one.refusal or one.path for one in made if not one.same]
    with start_agent(CONFIG, kubeconfig=kubeconfig) as agent:
        agent.wait_ready(30)
        settles(plane, agent, tmp_path, capsys)
        page = parse(agent.page())
    compared = sum(agrees(resource, [one for one in taken if one.resource == resource], page) for resource in RESOURCES)
    assert compared > 3500


def agrees(resource: str, taken: list[Made], page: Page) -> int:
    """Compare the page with the recorded one, object by object; the number of samples."""
    reference = parse((CASES / resource / "all.prom").read_bytes().decode())
    recorded, got = by_identity(resource, reference), by_identity(resource, page)
    wanted: Samples = defaultdict(lambda: defaultdict(dict))
    for one in taken:
        for family, samples in wanted_of(one, reference, recorded).items():
            wanted[identity_of(resource, one.made or {})][family] |= samples
    for identity, families in wanted.items():
        for family, samples in families.items():
            assert got[identity][family] == samples, (identity, family)
    return sum(len(samples) for families in wanted.values() for samples in families.values())


@pytest.mark.every_version
def test_churn(
    plane: ControlPlane, made: list[Made], kubeconfig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Creates, patches, status patches and deletes of every resource while the agent watches: when it has settled, its
    page equals that of a fresh agent, `telegen render` of the final objects and the page of kube-state-metrics, which watched too."""
    # The peer retries a resource that the server lacks for ever; the agent has an empty store for it.
    flags = (f"--kubeconfig={kubeconfig}", f"--resources={','.join(served(plane))}", *FLAGS["everything"])
    started = time.monotonic()
    with start_agent(CONFIG, kubeconfig=kubeconfig) as agent, peer(tmp_path / "peer.log", *flags) as other:
        agent.wait_ready(30)
        ready = time.monotonic() - started
        churn = Churn(plane, [one for one in made if one.made], random.Random(7))
        for _ in range(ROUNDS):
            churn.round()
        for resource in served(plane):
            assert churn.done[resource, "create"] and churn.done[resource, "delete"], (resource, churn.refusals[resource])
            assert churn.done[resource, "patch"] >= ROUNDS / 2, (resource, churn.refusals[resource])
        assert sum(churn.done[resource, "status"] for resource in served(plane)) >= 10 * ROUNDS
        settles(plane, agent, tmp_path, capsys)
        with start_agent(CONFIG, kubeconfig=kubeconfig) as fresh:
            fresh.wait_ready(30)
            assert settled(lambda: sorted({*lines(fresh.page())} ^ {*lines(agent.page())})) == []
        differences = settled(lambda: beside(other.page(), agent.page()))
        count = sum(len(series) for _, series in parse(agent.page()).values())
        print(f"Kubernetes 1.{plane.minor}: ready after {ready:.1f} s, {count} series, {len(differences)} differences")
        assert differences == []


def settled(compare: Callable[[], list[str]]) -> list[str]:
    """Return the differences of two pages that are left after some seconds.

    The API server renews a Lease of its own every 10 s, which may fall between the two scrapes.
    """
    for _ in range(6):
        differences = compare()
        if not differences:
            break
        time.sleep(0.5)
    return differences


def beside(peers: str, ours: str) -> list[str]:
    """Compare a page with that of kube-state-metrics, which does not read a schedule as the CronJob controller does."""
    page = {name: family for name, family in parse(ours).items() if name not in OURS}
    return [line for line in difference(parse(peers), page) if 'cronjob="dom-or-dow' not in line]


class Churn:
    """Changes of every resource, and how many of them the server took."""

    def __init__(self, plane: ControlPlane, base: list[Made], chance: random.Random) -> None:
        self._plane, self._chance = plane, chance
        self._resources = served(plane)
        self._base = {name: [one for one in base if one.resource == name] for name in self._resources}
        self._copies: dict[str, list[Made]] = {name: [] for name in self._resources}
        self._number = 0
        self.done: Counter[tuple[str, str]] = Counter()
        self.refusals: dict[str, list[str]] = defaultdict(list)

    def round(self) -> None:
        """For every resource, in any order: a copy, two patches, a status, and at times the end of a copy."""
        for resource in self._chance.sample(self._resources, len(self._resources)):
            for what, change in (("create", self._copy), ("patch", self._patch), ("status", self._status), ("patch", self._patch)):
                self._try(resource, what, change)
            if len(self._copies[resource]) > 1:
                self._try(resource, "delete", self._delete)

    def _try(self, resource: str, what: str, change: Callable[[str], bool]) -> None:
        self._number += 1
        try:
            self.done[resource, what] += change(resource)
        except Refused as error:
            self.refusals[resource].append(str(error))

    def _any(self, resource: str) -> Made:
        return self._chance.choice(self._base[resource] + self._copies[resource])

    def _copy(self, resource: str) -> bool:
        """An object like another one, under a name of its own."""
        like = self._chance.choice(self._base[resource]).wanted
        metadata = {key: value for key, value in like["metadata"].items() if key not in ("finalizers", "deletionTimestamp")}
        obj = {**like, "metadata": {**metadata, "name": f"copy-{self._number}"}}
        if resource == "services":
            obj["spec"] = {key: value for key, value in obj["spec"].items() if key in ("type", "ports", "selector", "externalName")}
        one = create(self._plane, resource, obj)
        if one.made:
            self._copies[resource].append(one)
        if one.refusal:
            self.refusals[resource].append(one.refusal)
        return one.made is not None

    def _patch(self, resource: str) -> bool:
        """Labels and annotations that change, come and go."""
        labels = {"churn": str(self._number), f"only-{self._number % 3}": self._chance.choice(("here", None))}
        change = {"metadata": {"labels": labels, "annotations": {"Churn/At": str(self._number)}}}
        self._plane.request("PATCH", self._any(resource).path, change, "application/merge-patch+json")
        return True

    def _status(self, resource: str) -> bool:
        """The status of one object becomes that of another."""
        target, status = self._any(resource), self._chance.choice(self._base[resource]).wanted.get("status")
        if status is None or resource == "certificatesigningrequests":
            return False
        now = self._plane.request("GET", target.path)
        self._plane.request("PUT", f"{target.path}/status", {**now, "status": status})
        return True

    def _delete(self, resource: str) -> bool:
        one = self._copies[resource].pop(0)
        self._plane.request("DELETE", f"{one.path}?gracePeriodSeconds=0")
        return True
