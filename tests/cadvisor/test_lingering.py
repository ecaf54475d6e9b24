"""The last series of a container that has ended (`cadvisor.linger`)."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.control_files import ControlFiles
from telegen.cadvisor.collector import Collector, Families
from telegen.cadvisor.identity.labels import BASE
from telegen.cadvisor.node import Node, Roots
from telegen.cadvisor.sampler import KEEP_SECONDS
from telegen.config.model import Cadvisor
from telegen.config.types import Duration
from tests.cadvisor.page import Pages, v2_tree, write
from tests.cadvisor.test_collectors import POD, samples
from tests.cadvisor.test_passes import Clock

FIRST, SECOND = "aa" * 32, "bb" * 32
SEEN, MEMORY = "container_last_seen", "container_memory_usage_bytes"


class Named:
    """Labels by container id; container, namespace and pod by `pods`."""

    names = BASE

    def __init__(self) -> None:
        self.by_id: dict[str, str] = {}
        self.pods: dict[str, tuple[str, str, str]] = {}

    def begin_pass(self, cgroups: Collection[Cgroup]) -> None:
        """Nothing to prepare."""

    def labels(self, cgroup: Cgroup) -> tuple[str, ...]:
        """See `LabelSource`."""
        container, namespace, pod = self.pods.get(cgroup.container_id, ("", "", ""))
        return (container, cgroup.id, "", self.by_id.get(cgroup.container_id, cgroup.container_id), namespace, pod)


class Host:
    """A v2 hierarchy with plain containers, and its sampler."""

    def __init__(self, root: Path, linger: float) -> None:
        self.root, self.names = v2_tree(root), Named()
        # No file stays open: one that is removed here could still be read, unlike a control file.
        self.pages = Pages(Node(Roots(str(root)), files=ControlFiles(limit=0)), Cadvisor(linger=Duration(linger)), self.names)

    def start(self, id: str, name: str, **files: str) -> Path:
        """Start a container."""
        self.names.by_id[id] = name
        write(self.root / "docker" / id, memory_current="1\n", **files)
        return self.root / "docker" / id

    def shown(self, id: str) -> dict[str, str]:
        """Samples of a container after one more pass."""
        return samples(self.pages.page(), f"/docker/{id}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The sampler's clock."""
    return Clock(monkeypatch)


@pytest.fixture
def host(tmp_path: Path, clock: Clock) -> Iterator[Host]:
    """A host on which ended containers linger for two minutes."""
    host = Host(tmp_path, 120)
    yield host
    host.pages.sampler.close()


def test_last_series_stay_for_the_time(host: Host, clock: Clock) -> None:
    """All series of an ended container stay with their last values, container_last_seen among them, until the time is over."""
    folder = host.start(FIRST, "web")
    before = host.shown(FIRST)
    assert before[SEEN] == "1000000000" and len(before) == 4
    shutil.rmtree(folder)
    for seconds in (10, 60, 59):
        clock.now += seconds
        assert host.shown(FIRST) == before
    clock.now += 1
    # The end was noticed at the pass of 10 s, and the time counts from there.
    assert host.shown(FIRST) == {}


def test_nothing_stays_by_default(tmp_path: Path, clock: Clock) -> None:
    """Without the setting the series go with the cgroup."""
    host = Host(tmp_path, 0)
    folder = host.start(FIRST, "web")
    assert host.shown(FIRST)
    shutil.rmtree(folder)
    assert host.shown(FIRST) == {}
    host.pages.sampler.close()


def test_successor_of_the_same_name(host: Host) -> None:
    """A new container of the same name ends the old series: no name is counted twice. Another name does not."""
    folder = host.start(FIRST, "web")
    assert host.shown(FIRST)
    shutil.rmtree(folder)
    host.start(SECOND, "db")
    assert host.shown(FIRST)
    host.start(SECOND, "web")
    page = host.pages.page()
    assert not samples(page, f"/docker/{FIRST}") and samples(page, f"/docker/{SECOND}")[MEMORY] == "1"


def test_successor_in_the_same_pass(host: Host) -> None:
    """A container that is replaced between two passes leaves no series for a single pass."""
    folder = host.start(FIRST, "web")
    assert host.shown(FIRST)
    shutil.rmtree(folder)
    host.start(SECOND, "web")
    assert host.shown(FIRST) == {}


def test_restart_in_a_pod(host: Host) -> None:
    """In a pod the successor is the next run of the same container, which has another name; a neighbour is none."""
    host.names.pods = {FIRST: ("app", "shop", "web-1"), SECOND: ("app", "shop", "web-1"), "cc" * 32: ("log", "shop", "web-1")}
    folder = host.start(FIRST, "k8s_app_0")
    assert host.shown(FIRST)
    shutil.rmtree(folder)
    host.start("cc" * 32, "k8s_log_0")
    assert host.shown(FIRST)
    host.start(SECOND, "k8s_app_1")
    assert host.shown(FIRST) == {}


def test_same_cgroup_again(host: Host, clock: Clock) -> None:
    """A container that is started again in the same cgroup has one series of each, with current values, and lingers again."""
    folder = host.start(FIRST, "web")
    host.pages.page()
    shutil.rmtree(folder)
    assert host.shown(FIRST)[MEMORY] == "1"
    write(folder, memory_current="7\n")
    clock.now += 200
    page = host.pages.page()
    assert page.count(f'{MEMORY}{{container="",id="/docker/{FIRST}"') == 1
    assert samples(page, f"/docker/{FIRST}")[MEMORY] == "7" and samples(page, f"/docker/{FIRST}")[SEEN] == "1000000200"
    shutil.rmtree(folder)
    assert host.shown(FIRST)[MEMORY] == "7"


def test_kills_stay_longer(host: Host, clock: Clock) -> None:
    """The kills of an ended container keep their own time, also behind a successor."""
    folder = host.start(FIRST, "web", memory_events="oom_kill 1\n")
    host.pages.page()
    shutil.rmtree(folder)
    assert len(host.shown(FIRST)) > 1
    host.start(SECOND, "web")
    assert host.shown(FIRST) == {"container_oom_events_total": "1"}
    clock.now += KEEP_SECONDS
    assert host.shown(FIRST) == {}


def test_cgroup_that_ends_during_a_pass(tmp_path: Path, clock: Clock) -> None:
    """A cgroup that is removed while the pass reads it keeps the values of the pass before."""
    removed = tmp_path / "docker" / FIRST

    def remove(context: Context) -> None:
        if context.cgroup.container_id == FIRST and clock.now > 1e9 and removed.exists():
            shutil.rmtree(removed)

    host = Host(tmp_path, 120)
    remover: Collector[str, str] = Collector("remover", "", (Families(str).gauge("none", "", lambda reading: 0),), remove, str)
    runs = host.pages.sampler._per_cgroup
    runs.insert(0, type(runs[0])(remover, host.pages._new_target(remover), host.pages.sampler._lingering))
    host.start(FIRST, "web")
    before = host.shown(FIRST)
    clock.now += 10
    assert host.shown(FIRST) == before
    assert host.shown(FIRST) == before and before[MEMORY] == "1"
    host.pages.sampler.close()


def test_pods_do_not_linger(host: Host) -> None:
    """A pod's own cgroup ends at once: only containers linger."""
    folder = host.root / POD
    write(folder, memory_current="1\n")
    write(folder.parent, memory_current="1\n")
    host.pages.page()
    shutil.rmtree(folder.parent)
    page = host.pages.page()
    assert not samples(page, str(Path("/", POD).parent)) and samples(page)[MEMORY] == "1"
