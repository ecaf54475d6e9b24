"""Processes in a cgroup, and what they have open and use, as psutil counts the same."""

from __future__ import annotations

import psutil
import pytest

from tests.cadvisor.real.cgroups import OwnCgroup
from tests.cadvisor.real.test_cgroups import told
from tests.cadvisor.real.view import View, total
from tests.process_tree import wait_for

CODE = """if True:
    import resource, socket, sys, time
    resource.setrlimit(resource.RLIMIT_NOFILE, (777, 888))
    kept = [socket.socket() for _ in range(5)] + [open("/dev/null") for _ in range(9)]
    while time.process_time() < 0.5: pass
    print(flush=True)
    sys.stdin.readline()"""


def test_processes_and_descriptors(cgroup: OwnCgroup, view: View) -> None:
    """Processes in cgroups inside the container, as systemd and crun make them, are the container's."""
    processes = [cgroup.python(CODE, cgroup.inner(name)) for name in ("init.scope", "system.slice")]
    for process in processes:
        told(process)
    known = [psutil.Process(process.pid) for process in processes]
    samples = view.of(cgroup.id)
    assert total(samples, "container_processes") == 2
    assert total(samples, "container_file_descriptors") == sum(process.num_fds() for process in known)
    assert total(samples, "container_sockets") == 10
    assert samples[("container_ulimits_soft", "max_open_files")] == 777
    charged = sum(process.cpu_times().user + process.cpu_times().system for process in known)
    assert total(samples, "container_cpu_schedstat_run_seconds_total") == pytest.approx(charged, rel=0.2, abs=0.1)
    assert total(samples, "container_referenced_bytes") > 1 << 20
    # A 0 of the pod would say that its containers have none either.
    assert ("container_processes",) not in view.of(cgroup.pod)


MANY = 1500
FORKS = f"""
n=1; while [ $n -lt {MANY} ]; do (read -r _ <&3) & n=$((n + 1)); done 3<&0
echo; read -r _
"""


def test_many_processes(cgroup: OwnCgroup, view: View) -> None:
    """All processes of a container are counted, although the kernel returns the list a page at a time."""
    told(cgroup.start(["sh", "-c", FORKS]))
    for _ in range(2):
        samples = view.of(cgroup.id)
        assert total(samples, "container_processes") == MANY
        assert total(samples, "container_threads") == MANY
        assert total(samples, "container_file_descriptors") >= 3 * MANY


def test_process_that_ends(cgroup: OwnCgroup, view: View) -> None:
    """The count follows the processes from pass to pass."""
    first, second = (cgroup.start(["sleep", "100"]) for _ in range(2))
    assert total(view.of(cgroup.id), "container_processes") == 2
    first.kill()
    first.wait()
    # v1 gives the same list again for a second after it was last asked for.
    wait_for("the list of processes", lambda: total(view.of(cgroup.id), "container_processes") == 1, 20, 1.5)
    assert second.poll() is None
