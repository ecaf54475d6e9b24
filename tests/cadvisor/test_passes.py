"""From pass to pass: what changes, what ends, what stays for a while, what is switched off."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.control_files import RETRY_PASSES
from telegen.cadvisor.collector import Collector, Families
from telegen.cadvisor.identity.labels import BASE, namespace_filter
from telegen.cadvisor.node import Node, Roots
from telegen.cadvisor.registry import DEFAULT, NAMES, collectors_of, enabled_collectors, enabled_groups
from telegen.cadvisor.sampler import KEEP_SECONDS, Sampler
from telegen.config import ConfigError
from telegen.config.model import Cadvisor
from telegen.config.types import Pattern
from telegen.metrics.family import Object
from tests.cadvisor.page import Pages, v2_tree, write
from tests.cadvisor.test_collectors import ID, POD, samples


class Clock:
    """A clock that is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1e9
        monkeypatch.setattr("telegen.cadvisor.sampler.time.time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The sampler's clock."""
    return Clock(monkeypatch)


def test_kill_stays_after_the_container(tmp_path: Path, clock: Clock) -> None:
    """The kills of an ended container stay for five minutes; everything else of it goes at once."""
    folder = v2_tree(tmp_path) / POD
    write(folder, memory_current="1\n", memory_events="oom_kill 1\n")
    write(folder.parent, memory_events="oom_kill 1\n")
    pages = Pages(Node(Roots(str(tmp_path))))
    assert "container_memory_usage_bytes" in samples(pages.page())
    shutil.rmtree(folder)
    assert samples(pages.page()) == {"container_oom_events_total": "1"}
    clock.now += KEEP_SECONDS - 1
    assert samples(pages.page()) == {"container_oom_events_total": "1"}
    clock.now += 1
    assert samples(pages.page()) == {}
    pages.sampler.close()


def test_kill_goes_with_the_pod(tmp_path: Path, clock: Clock) -> None:
    """After the end of the pod all its series are gone; a count of 0 kills is never kept."""
    folder = v2_tree(tmp_path) / POD
    write(folder, memory_events="oom_kill 1\n")
    write(folder.parent, memory_events="oom_kill 0\n")
    pages = Pages(Node(Roots(str(tmp_path))))
    pages.page()
    shutil.rmtree(folder.parent)
    assert samples(pages.page()) == {}
    pages.sampler.close()


def test_container_that_is_back_counts_anew(tmp_path: Path, clock: Clock) -> None:
    """A cgroup of the same name takes over from what lingered."""
    folder = v2_tree(tmp_path) / POD
    write(folder, memory_events="oom_kill 1\n")
    write(folder.parent, memory_events="oom_kill 1\n")
    pages = Pages(Node(Roots(str(tmp_path))))
    pages.page()
    shutil.rmtree(folder)
    pages.page()
    write(folder, memory_events="oom_kill 0\n")
    assert samples(pages.page())["container_oom_events_total"] == "0"
    shutil.rmtree(folder)
    assert samples(pages.page()) == {}
    pages.sampler.close()


def test_last_seen_is_the_pass(tmp_path: Path, clock: Clock) -> None:
    """Whole seconds of the last pass that found the cgroup."""
    write(v2_tree(tmp_path) / POD, cpu_stat="usage_usec 1\n")
    pages = Pages(Node(Roots(str(tmp_path))))
    assert samples(pages.page())["container_last_seen"] == "1000000000"
    clock.now += 10.5
    assert samples(pages.page())["container_last_seen"] == "1000000010"
    pages.sampler.close()


def test_file_that_appears_later(tmp_path: Path) -> None:
    """A controller that is switched on later is noticed within a few passes, though missing files are remembered."""
    folder = v2_tree(tmp_path) / POD
    write(folder, cpu_stat="usage_usec 1\n")
    pages = Pages(Node(Roots(str(tmp_path))))
    pages.page()
    write(folder, pids_current="3\n")
    found = [samples(pages.page()).get("container_threads") for _ in range(RETRY_PASSES)]
    assert found[-1] == "3"
    pages.sampler.close()


class Log:
    """A target that notes what comes."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def upsert(self, obj: Object) -> None:
        """See `Target`."""
        self.events.append(("upsert", obj["id"]))

    def delete(self, obj: Object) -> None:
        """See `Target`."""
        self.events.append(("delete", obj["id"]))


def test_only_what_has_changed_is_handed_over(tmp_path: Path) -> None:
    """Equal bytes and labels are not parsed again; a change of the labels alone renders the reading anew."""
    folder = v2_tree(tmp_path) / "docker" / ID
    write(folder, cpu_stat="usage_usec 1\n")

    class Renamed:
        names = BASE
        image = ""

        def begin_pass(self, cgroups: Collection[Cgroup]) -> None:
            """Nothing to prepare."""

        def labels(self, cgroup: Cgroup) -> tuple[str, ...]:
            return ("", cgroup.id, self.image, "", "", "")

    labels, log = Renamed(), Log()
    sampler = Sampler(Node(Roots(str(tmp_path))), collectors_of(frozenset(("cpu",)))[:1], labels, lambda collector: log)
    passes = []
    for image, usage in (("", 1), ("", 1), ("", 2), ("shop", 2), ("shop", 2)):
        labels.image = image
        write(folder, cpu_stat=f"usage_usec {usage}\n")
        log.events.clear()
        sampler.sample()
        passes.append([event for event in log.events if event[1] != "/"])
    changed = [("upsert", f"/docker/{ID}")]
    assert passes == [changed, [], changed, changed, []]
    sampler.close()


@pytest.mark.parametrize("error", [PermissionError(13, "no"), ValueError("no"), KeyError("no"), TypeError("no")])
def test_reader_that_fails_costs_its_own_samples(tmp_path: Path, error: Exception) -> None:
    """Whatever a reader raises for one cgroup: it is counted by reason, other cgroups and sources go on, and the page
    says so."""
    for number in (1, 2):
        write(v2_tree(tmp_path) / "docker" / f"{number:064x}", cpu_stat="usage_usec 1\n")
    good = enabled_collectors(Cadvisor())

    def read(context: Context) -> bytes:
        if context.cgroup.container_id.endswith("1"):
            raise error
        return b"7"

    families = (Families(int).gauge("bad", "", lambda reading: reading),)
    bad = Collector("bad", "", families, read, lambda raw, context: int(raw))
    pages = Pages(Node(Roots(str(tmp_path))), extra=(bad,))
    text = pages.page()
    reason = {PermissionError: "EACCES", TypeError: "TypeError"}.get(type(error), "malformed")
    assert pages.sampler.errors == Counter({reason: 1})
    assert samples(text, f"/docker/{2:064x}")["bad"] == "7"
    first = samples(text, f"/docker/{1:064x}")
    assert "bad" not in first and 'container_cpu_usage_seconds_total{cpu="total"}' in first
    assert "container_scrape_error 1\n" in text
    assert len(good) == len(enabled_collectors(Cadvisor()))
    pages.sampler.close()


def test_groups_are_switched() -> None:
    """By default what the kubelet shows; names and switches add and take; taking wins."""
    assert enabled_groups(Cadvisor()) == DEFAULT
    assert enabled_groups(Cadvisor(enabled_metrics=("hugetlb",))) == DEFAULT | {"hugetlb"}
    assert enabled_groups(Cadvisor(disk_io_enabled=False, network_enabled=False)) == DEFAULT - {"diskIO", "network"}
    assert "percpu" in enabled_groups(Cadvisor(per_cpu_enabled=True))
    assert "tcp" not in enabled_groups(Cadvisor(enabled_metrics=("tcp",), disabled_metrics=("tcp",)))
    with pytest.raises(ConfigError, match="disabled_metrics: unknown group of metrics: cpus, disc"):
        enabled_groups(Cadvisor(disabled_metrics=("disc", "cpus", "cpu")))


def test_families_are_selected() -> None:
    """The lists select families container_* and machine_*; those of the agent itself stay."""

    def names(settings: Cadvisor) -> set[str]:
        return {family.name for collector in enabled_collectors(settings) for family in collector.families}

    everything = names(Cadvisor())
    others = {name for name in everything if not name.startswith(("container_", "machine_"))}
    kept = names(Cadvisor(metric_allowlist=(Pattern("^container_cpu_"),)))
    assert kept == others | {name for name in everything if name.startswith("container_cpu_")} and kept != others
    assert names(Cadvisor(metric_denylist=(Pattern("^machine_"),))) == {name for name in everything if not name.startswith("machine_")}


@pytest.mark.parametrize("group", sorted(DEFAULT))
def test_group_that_is_off_has_no_family(group: str) -> None:
    """Switching a group off takes its families, and only families that switching it on brings."""
    names = {family.name for source in enabled_collectors(Cadvisor(disabled_metrics=(group,))) for family in source.families}
    everything = {family.name for source in enabled_collectors(Cadvisor()) for family in source.families}
    own = {family.name for source in collectors_of(frozenset((group,))) if source.group == group for family in source.families}
    assert names <= everything and not own & names


def test_no_family_is_made_twice() -> None:
    """Families belong to one source, except those that /proc/diskstats gives for the root and io.stat for the others."""
    found = Counter(family.name for source in collectors_of(NAMES) for family in source.families)
    assert [name for name, count in found.items() if count > 1 and not name.startswith("container_fs_")] == []


def test_namespaces_are_filtered() -> None:
    """Pods and containers by the namespace that they are known to be in; what is above them always."""
    pod, root = Cgroup("/kubepods/podx", "pod"), Cgroup("/", "root")

    def shown(settings: Cadvisor, namespace: str, cgroup: Cgroup = pod) -> bool:
        return namespace_filter(settings)(cgroup, ("", cgroup.id, "", "", namespace, ""))

    assert shown(Cadvisor(), "") and shown(Cadvisor(), "shop")
    only = Cadvisor(namespaces=("shop",))
    assert shown(only, "shop") and not shown(only, "other") and not shown(only, "") and shown(only, "", root)
    but = Cadvisor(namespaces_exclude=("shop",))
    assert not shown(but, "shop") and shown(but, "other") and shown(but, "") and shown(but, "", root)
