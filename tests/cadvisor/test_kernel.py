"""A process of the test's own in a cgroup of the test's own, on this machine's kernel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from telegen.cadvisor.hierarchy import find_mounts
from telegen.cadvisor.source import Node, Roots
from tests.cadvisor.page import Pages
from tests.tree import wait_for

ROOT = "/sys/fs/cgroup"
HOG = "import time; held = bytearray(b'x') * (64 << 20)\nwhile time.process_time() < 1.5: pass\nprint(flush=True); time.sleep(60)"


@contextmanager
def own_cgroups(name: str) -> Iterator[list[Path]]:
    """A cgroup of this name in each mount; removed at the end."""
    mounts = find_mounts(ROOT)
    paths = [Path(mount) / name for mount in dict.fromkeys(mounts[key].path for key in ("cpuacct", "memory"))]
    made: list[Path] = []
    try:
        for path in paths:
            try:
                path.mkdir(parents=True)
            except OSError as error:
                pytest.skip(f"cgroups cannot be made here: {error}")
            made.append(path)
        yield paths
    finally:
        for path in made:
            wait_for(f"{path} to be empty", lambda: not (path / "cgroup.procs").read_text(), 10)
            path.rmdir()
            path.parent.rmdir()


def value(text: str, family: str, container: str) -> float:
    """A sample of a container."""
    found = re.search(rf'^{family}\{{[^}}]*name="{container}"[^}}]*\}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else float("nan")


def test_real_process_in_a_real_cgroup() -> None:
    """CPU time as the kernel accounts for the process, memory as much as it holds; gone when the cgroup is."""
    container = os.urandom(32).hex()
    pages = Pages(Node(Roots(ROOT)))
    with own_cgroups(f"telegen-test-{os.getpid()}/{container}") as cgroups:
        hog = subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.stdin.readline()\n{HOG}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            for cgroup in cgroups:
                (cgroup / "cgroup.procs").write_text(str(hog.pid))
            assert hog.stdin and hog.stdout
            hog.stdin.write(b"go\n")
            hog.stdin.close()
            hog.stdout.readline()
            times, text = psutil.Process(hog.pid).cpu_times(), pages.page()
            used = value(text, "container_cpu_usage_seconds_total", container)
            assert used == pytest.approx(times.user + times.system, abs=0.3)
            usage = value(text, "container_memory_usage_bytes", container)
            assert 64 << 20 <= usage <= 128 << 20
            assert 0 < value(text, "container_memory_working_set_bytes", container) <= usage
        finally:
            hog.kill()
            hog.wait()
            assert hog.stdout
            hog.stdout.close()
    assert container not in pages.page()
    pages.sampler.close()
