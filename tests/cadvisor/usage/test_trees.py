"""Usage from the control files of cgroups v1 and v2, and from those of this machine's kernel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Optional

import orjson
import pytest

from telegen.cadvisor.cgroups.devices import Devices
from telegen.cadvisor.identity.label_resolver import make_label_resolver
from telegen.cadvisor.node import Node, Roots
from telegen.cadvisor.registry import enabled_collectors
from telegen.cadvisor.sampler import Sampler
from telegen.cadvisor.usage.document import CONTAINER_METRICS, NODE_METRICS, POD_METRICS
from telegen.cadvisor.usage.pods import UsagePods
from telegen.cadvisor.usage.recorder import Recorder, missing_collectors
from telegen.cadvisor.usage.report import UsageReport
from telegen.config.model import Cadvisor
from tests.cadvisor.proc import interface, process
from tests.cadvisor.real.cgroups import OwnCgroup

UID, APP, SANDBOX = "d4c3b2a1-f0e9-4d8c-b6a5-948372615040", "aa" * 32, "bb" * 32
POD = f"kubepods/pod{UID}"


def api_pod(uid: str, container: str, **spec: Any) -> dict[str, Any]:
    """The pod of the API with one running container."""
    status = {"name": "app", "containerID": f"containerd://{container}", "restartCount": 2, "state": {"running": {"startedAt": "x"}}}
    return {
        "metadata": {"name": "web", "namespace": "shop", "uid": uid},
        "spec": {"containers": [{"name": "app"}], **spec},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


class Sampled:
    """A sampler of some folders, with the usage of each pass."""

    def __init__(self, pod: dict[str, Any], **settings: Any) -> None:
        cadvisor = Cadvisor(**settings)
        roots = Roots(cadvisor.cgroup_root, cadvisor.proc_root, cadvisor.sys_root, cadvisor.root)
        names = make_label_resolver(cadvisor)
        pods = UsagePods(names.pods)
        pods.replace([("ADDED", pod)])
        recorder, enabled = Recorder(10.0), enabled_collectors(cadvisor)
        node = Node(roots, device=Devices(roots.proc, roots.sys), facts=names)
        collectors = (*enabled, *missing_collectors(enabled))
        self.sampler = Sampler(node, collectors, names, lambda collector: recorder.recorded(collector, None))
        self._report = UsageReport(recorder, pods, "n1")

    def usage(self) -> tuple[Optional[dict[str, Any]], Optional[dict[str, Any]]]:
        """Run a pass; return the values of the pod, with `window`, and those of the node; None for none."""
        self.sampler.sample()
        document = self._report.end_pass(self.sampler.contexts)
        if not document:
            return None, None
        rows, node = orjson.loads(document.pods), orjson.loads(document.node_usage)
        return (_pod_values(rows[0]) if rows else None), node and dict(zip(NODE_METRICS, node[2]))

    def close(self) -> None:
        """Close what is kept open."""
        self.sampler.close()


def _pod_values(row: Optional[list[Any]]) -> Optional[dict[str, Any]]:
    return row and {"window": row[1], **dict(zip(CONTAINER_METRICS, row[2][0])), **dict(zip(POD_METRICS, row[3]))}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The clock of the sampler: its last item."""
    now = [1000.0]
    monkeypatch.setattr("telegen.cadvisor.sampler.boottime", lambda: now[-1])
    yield now


def put(root: Path, **files: str) -> None:
    """Write files by name, with `__` for a slash."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def folders(root: Path) -> dict[str, str]:
    """Settings of a node in a folder."""
    (root / "host").mkdir(exist_ok=True)
    process(root / "proc", 1)
    return {"cgroup_root": str(root / "cgroup"), "proc_root": str(root / "proc"), "root": str(root / "host"), "sys_root": str(root / "sys")}


def write_v2(root: Path, at: int) -> None:
    """Control files of a pod at a moment: everything increases evenly, memory excepted."""
    pressure = {f"{name}.pressure": f"some avg10=0 total={share * at}\nfull total=0\n" for name, share in
                {"cpu": 100_000, "memory": 0, "io": 2_000_000}.items()}  # fmt: skip
    cgroup = root / "cgroup"
    put(cgroup, **{"cgroup.controllers": "cpu memory io\n", "cpu.stat": f"usage_usec {1 + 1500000 * at}\n", **pressure})
    put(cgroup, **{"memory.stat": "anon 3000\nfile 2000\ninactive_file 1000\n"})
    put(cgroup / POD, **{"cpu.stat": "usage_usec 0\n", "cgroup.procs": "", **pressure})
    put(cgroup / POD / SANDBOX, **{"cpu.stat": "usage_usec 0\n", "cgroup.procs": ""})
    put(
        cgroup / POD / APP,
        **{
            "cpu.stat": f"usage_usec {250000 * at}\nnr_periods {10 * at}\nnr_throttled {4 * at}\n",
            "cpu.max": "50000 100000\n",
            "memory.current": "9000\n",
            "memory.stat": "inactive_file 1000\n",
            "memory.swap.current": "512\n",
            "memory.events": f"oom_kill {at}\n",
            "io.stat": f"8:0 rbytes={4096 * at} wbytes={8192 * at} rios={at} wios={2 * at}\n8:16 rbytes={at} wbytes=0 rios=0 wios=0\n",
            "cgroup.procs": "77\n",
        },
    )
    process(root / "proc", 77, f"/{POD}/{APP}", interface("eth0", at) + interface("lo", 9 * at))


def write_v1(root: Path, at: int) -> None:
    """Control files of the same pod with cgroups v1."""
    cgroup = root / "cgroup"
    for controller in ("cpuacct", "cpu", "memory", "blkio", "pids"):
        put(cgroup / controller / POD / SANDBOX, **{"cgroup.procs": ""})
        put(cgroup / controller / POD / APP, **{"cgroup.procs": "77\n"})
    put(cgroup / "cpuacct", **{"cpuacct.usage": f"{1 + 1500000000 * at}\n"})
    put(cgroup / "memory", **{"memory.usage_in_bytes": "5000\n", "memory.stat": "total_inactive_file 1000\n"})
    put(cgroup / "cpuacct" / POD / APP, **{"cpuacct.usage": f"{250000000 * at}\n"})
    put(cgroup / "cpu" / POD / APP, **{"cpu.stat": f"nr_periods {10 * at}\nnr_throttled {4 * at}\n", "cpu.cfs_quota_us": "50000\n"})
    put(
        cgroup / "memory" / POD / APP,
        **{
            "memory.usage_in_bytes": "9000\n",
            "memory.stat": "total_inactive_file 1000\ntotal_swap 512\n",
            "memory.oom_control": f"oom_kill_disable 0\nunder_oom 0\noom_kill {at}\n",
        },
    )
    put(
        cgroup / "blkio" / POD / APP,
        **{
            "blkio.throttle.io_service_bytes_recursive": f"8:0 Read {4097 * at}\n8:0 Write {8192 * at}\n",
            "blkio.throttle.io_serviced_recursive": f"8:0 Read {at}\n8:0 Write {2 * at}\n",
        },
    )
    process(root / "proc", 77, f"/{POD}/{APP}", interface("eth0", at) + interface("lo", 9 * at))


EXPECTED = {
    "window": 10.0,
    "cpu": 0.25,
    "memory": 8000,
    "swap": 512,
    "cpu_throttled_ratio": 0.4,
    "oom_kills": 1.0,
    "fs_read_bytes": 4097.0,
    "fs_write_bytes": 8192.0,
    "fs_reads": 1.0,
    "fs_writes": 2.0,
    "restarts": 2,
    "cpu_pressure": 0.1,
    "memory_pressure": 0.0,
    "io_pressure": 1.0,
    "receive_bytes": 100.0,
    "transmit_bytes": 100.0,
}
"""Per second or as a size; the pressure of io is cut at 1."""
NO_PRESSURE = {"cpu_pressure": None, "memory_pressure": None, "io_pressure": None}


@pytest.mark.parametrize("version", [1, 2])
def test_all_columns(version: int, tmp_path: Path, clock: list[float]) -> None:
    """Every column has the rate of its file, with both versions and also if the settings switch the series of its collector off."""
    write = write_v1 if version == 1 else write_v2
    write(tmp_path, 0)
    off = ("cpu", "memory", "oom_event", "diskIO", "network", "pressure")
    settings: dict[str, Any] = {**folders(tmp_path), "disabled_metrics": off if version == 2 else ()}
    pressure = NO_PRESSURE if version == 1 else {}
    with closing(Sampled(api_pod(UID, APP), **settings)) as sampled:
        assert sampled.usage() == (None, None)
        write(tmp_path, 10)
        clock.append(1010.0)
        pod, node = sampled.usage()
        assert pod == {**EXPECTED, **pressure}
        assert node and (node["cpu"], node["memory"]) == (1.5, 4000)
        clock.append(1020.0)
        pod, _ = sampled.usage()
        assert pod and (pod["cpu"], pod["memory"], pod["fs_reads"], pod["receive_bytes"]) == (0, 8000, 0, 0)


def test_host_network(tmp_path: Path, clock: list[float]) -> None:
    """A pod in the network of its node has no traffic of its own."""
    write_v2(tmp_path, 0)
    with closing(Sampled(api_pod(UID, APP, hostNetwork=True), **folders(tmp_path))) as sampled:
        sampled.usage()
        write_v2(tmp_path, 10)
        clock.append(1010.0)
        pod, _ = sampled.usage()
        assert pod and pod["receive_bytes"] is None and pod["transmit_bytes"] is None and pod["cpu"] == 0.25


def test_cgroup_that_is_made_anew(tmp_path: Path, clock: list[float]) -> None:
    """A counter that decreases leaves the pod out for one pass; the next one counts from its new value."""
    write_v2(tmp_path, 10)
    with closing(Sampled(api_pod(UID, APP), **folders(tmp_path))) as sampled:
        sampled.usage()
        shown = []
        for second, at in ((1010.0, 20), (1020.0, 1), (1030.0, 11)):
            write_v2(tmp_path, at)
            clock.append(second)
            pod, _ = sampled.usage()
            shown.append(pod and pod["cpu"])
        assert shown == [0.25, None, 0.25]


@pytest.mark.real
def test_usage_of_this_kernel(cgroup: OwnCgroup) -> None:
    """CPU usage of a busy container is within 1 % of its own files."""
    burner = cgroup.python("import os\nprint(flush=True)\nwhile True: os.getppid()")
    assert burner.stdout
    burner.stdout.readline()
    name, unit = ("cpu.stat", 1e6) if (cgroup.path("cpuacct") / "cpu.stat").exists() else ("cpuacct.usage", 1e9)

    def used() -> float:
        return int((cgroup.path("cpuacct") / name).read_text().split("\n")[0].split()[-1]) / unit

    with closing(Sampled(api_pod(cgroup.pod_uid, cgroup.container_id), root="/nowhere")) as sampled:
        # The container runs on while a pass reads, on a busy machine for long: the files are read before and after it.
        first, _, second = used(), sampled.usage(), used()
        started = time.monotonic()
        time.sleep(4)
        seconds, third, (pod, node), fourth = time.monotonic() - started, used(), sampled.usage(), used()
    assert pod and node and node["cpu"] > 0 and pod["memory"] > 0
    assert (third - second) * 0.99 <= pod["cpu"] * pod["window"] <= (fourth - first) * 1.01
    assert pod["window"] >= seconds * 0.99
