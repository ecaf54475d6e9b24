"""A container that runs out of memory is read at once, by this machine's own kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from telegen.cadvisor.cgroups.hierarchy import find_mounts
from telegen.cadvisor.cgroups.oom_events import SETTLE, OomEvents
from telegen.cadvisor.node import Node, Roots
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages, v2_tree, write
from tests.cadvisor.test_collectors import samples
from tests.process_tree import wait_for

ID = os.urandom(32).hex()
HOG = "import os; open('{FOLDER}/cgroup.procs', 'w').write(str(os.getpid())); held = bytearray(b'x') * (64 << 20)"


@pytest.fixture
def small() -> Iterator[Path]:
    """A container's cgroup with 16 MB of memory."""
    mount = find_mounts("/sys/fs/cgroup")["memory"]
    parent = Path(mount.path) / f"telegen-alarm-{os.getpid()}"
    folder = parent / ID
    folder.mkdir(parents=True)
    limits = ("memory.max", "memory.swap.max") if mount.version == 2 else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    if mount.version == 2:
        (parent / "cgroup.subtree_control").write_text("+memory")
    (folder / limits[0]).write_text(str(16 << 20))
    if (folder / limits[1]).exists():
        (folder / limits[1]).write_text("0" if mount.version == 2 else str(16 << 20))
    yield folder
    for path in (folder, parent):
        if path.exists():
            path.rmdir()


def test_kill_is_read_before_the_cgroup_is_removed(small: Path) -> None:
    """A kill between two passes, after which the cgroup is removed at once, is counted and stays."""
    pages = Pages(Node(Roots()), Cadvisor(disabled_metrics=("network", "process", "disk")))
    events = OomEvents()
    path = f"/{small.parent.name}/{ID}"
    assert samples(pages.page(), path)["container_oom_events_total"] == "0"
    events.watch(pages.sampler.contexts)
    hog = subprocess.Popen([sys.executable, "-c", HOG.replace("{FOLDER}", str(small))])
    looked = []

    def told() -> bool:
        rung = events.wait(0.05)
        pages.sampler.reread(rung)
        looked.extend(context.cgroup.id for context in rung)
        return looked.count(path) >= 2 and hog.poll() is not None

    wait_for("the alarm and the second look", told, 20)
    assert hog.returncode == -9
    wait_for("the cgroup to be empty", lambda: not (small / "cgroup.procs").read_text(), 10)
    small.rmdir()
    assert int(samples(pages.page(), path)["container_oom_events_total"]) >= 1
    events.watch(pages.sampler.contexts)
    events.close()
    pages.sampler.close()


def test_nothing_happens(small: Path) -> None:
    """Without a notification `wait` takes its time and returns no container; ended containers are not watched."""
    pages = Pages(Node(Roots()), Cadvisor(disabled_metrics=("network", "process", "disk")))
    pages.page()
    events = OomEvents()
    mine = [context for context in pages.sampler.contexts if context.cgroup.container_id == ID]
    events.watch(mine)
    assert len(events) == 1
    started = time.monotonic()
    assert events.wait(2 * SETTLE) == [] and time.monotonic() - started >= SETTLE
    before = len(os.listdir("/proc/self/fd"))
    events.watch([])
    assert len(events) == 0 and len(os.listdir("/proc/self/fd")) < before
    events.close()
    pages.sampler.close()


def test_files_that_cannot_be_polled(tmp_path: Path) -> None:
    """On a file system other than the kernel's no container is watched, and no error is counted."""
    write(v2_tree(tmp_path) / "docker" / ID, memory_events="oom_kill 0\n")
    pages = Pages(Node(Roots(str(tmp_path))))
    pages.page()
    events = OomEvents()
    events.watch(pages.sampler.contexts)
    assert len(events) == 0 and events.wait(0.01) == []
    assert not pages.sampler.errors
    events.close()
    pages.sampler.close()
