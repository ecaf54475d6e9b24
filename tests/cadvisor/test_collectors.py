"""Control files of each version and the samples made of them. A malformed file costs its own samples only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from telegen.cadvisor.node import Node, Roots
from telegen.cadvisor.registry import NAMES
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages

ID = "ab" * 32
ALL = Cadvisor(enabled_metrics=tuple(NAMES))
POD = f"kubepods/podd4c3b2a1f0e9d8c7b6a5948372615040/{ID}"

BFQ_ZERO = "8:0 Read 0\n8:0 Write 0\n8:0 Total 0\nTotal 0\n"
THROTTLE = "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 12288\n8:0 Async 0\n8:0 Total 12288\n8:16 Read 0\nTotal 12288\n"


def tree(root: Path, version: int, files: dict[str, str], path: str = POD) -> Path:
    """A hierarchy with one container: files by `controller/name` for v1, by name for v2."""
    for name, content in files.items():
        folder = root / name.rpartition("/")[0] / path if version == 1 else root / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name.rpartition("/")[2]).write_text(content)
    if version == 2:
        (root / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    return root


def page(root: Path, settings: Cadvisor = ALL, **roots: str) -> Pages:
    """A sampler of this tree."""
    return Pages(Node(Roots(str(root), roots.get("proc", "/nowhere"), roots.get("sys", "/nowhere"))), settings)


def samples(text: str, path: str = f"/{POD}") -> dict[str, str]:
    """Family with its own labels to value, of one cgroup."""
    found = {}
    for line in text.split("\n"):
        name, _, rest = line.partition("{")
        labels, _, number = rest.rpartition("} ")
        if f'id="{path}"' in labels:
            own = labels.partition('pod="')[2].partition('"')[2].lstrip(",")
            found[f"{name}{{{own}}}" if own else name] = number
    return found


CASES: list[tuple[str, int, dict[str, str], dict[str, str | None]]] = [
    (
        "io.stat by device, unknown devices and words passed over",
        2,
        {
            "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0 cost.usage=5 cost.wait=6 cost.indebt=7 cost.indelay=8\n"
            "(unknown) rbytes=9\n8:16\n7:0 rbytes=x\n"
        },
        {
            'container_fs_reads_bytes_total{device="8:0"}': "1",
            'container_fs_writes_bytes_total{device="8:0"}': "2",
            'container_fs_reads_total{device="8:0"}': "3",
            'container_fs_writes_total{device="8:0"}': "4",
            'container_fs_io_cost_usage_seconds_total{device="8:0"}': "5e-06",
            'container_fs_io_cost_wait_seconds_total{device="8:0"}': "6e-06",
            'container_fs_io_cost_indebt_seconds_total{device="8:0"}': "7e-06",
            'container_fs_io_cost_indelay_seconds_total{device="8:0"}': "8e-06",
            'container_blkio_device_usage_total{device="8:0",major="8",minor="0",operation="Write"}': "2",
            'container_fs_reads_bytes_total{device="8:16"}': None,
        },
    ),
    (
        "v1: the set of files that counts is believed, devices of zeros are left out",
        1,
        {
            "cpuacct/cpuacct.usage": "1\n",
            "blkio/blkio.bfq.io_service_bytes_recursive": BFQ_ZERO,
            "blkio/blkio.throttle.io_service_bytes_recursive": THROTTLE,
            "blkio/blkio.throttle.io_serviced": "8:0 Read 1\n8:0 Write 2\n",
        },
        {
            'container_fs_reads_bytes_total{device="8:0"}': "4096",
            'container_fs_writes_total{device="8:0"}': "2",
            'container_blkio_device_usage_total{device="8:0",major="8",minor="0",operation="Total"}': "12288",
            'container_fs_reads_bytes_total{device="8:16"}': None,
        },
    ),
    (
        "io.stat: names before the device of the numbers, numbers below 0 and from 2^63 on",
        2,
        {
            "io.stat": "8:16 rbytes=9083418112 wbytes=18446744073709551615 rios=-1 wios=7\n7:7 7:6 7:5 8:0 rbytes=28672 wbytes=5\n"
            "7:0 (unknown) rbytes=1\n8:32 rbytes=3 7:1 7:2 253:0 rbytes=4\n259:1 \n"
        },
        {
            'container_fs_reads_bytes_total{device="8:16"}': "9083418112",
            'container_fs_writes_bytes_total{device="8:16"}': None,
            'container_fs_reads_total{device="8:16"}': None,
            'container_fs_writes_total{device="8:16"}': "7",
            'container_fs_reads_bytes_total{device="8:0"}': "28672",
            'container_fs_writes_bytes_total{device="8:0"}': "5",
            'container_fs_reads_bytes_total{device="8:32"}': "3",
            'container_fs_reads_bytes_total{device="253:0"}': "4",
            **{f'container_fs_reads_bytes_total{{device="7:{number}"}}': None for number in (0, 1, 2, 5, 6, 7)},
        },
    ),
    ("v1: (unknown) devices and wrapped counters", 1, {
        "cpuacct/cpuacct.usage": "18446744073709551615\n",
        "cpuacct/cpuacct.stat": "user -1\nsystem 100\n",
        "memory/memory.usage_in_bytes": "18446744073709547520\n",
        "memory/memory.stat": "total_rss 18446744073709543424\ntotal_cache 4096\n",
        "blkio/blkio.throttle.io_service_bytes": "(unknown) Read 1\n8:0 Read 18446744073709551615\n8:0 Write 5\nTotal 6\n",
    }, {
        'container_cpu_usage_seconds_total{cpu="total"}': None,
        "container_cpu_user_seconds_total": None,
        "container_cpu_system_seconds_total": "1",
        "container_memory_usage_bytes": None,
        "container_memory_rss": None,
        "container_memory_cache": "4096",
        'container_fs_reads_bytes_total{device="8:0"}': None,
        'container_fs_writes_bytes_total{device="8:0"}': "5",
    }),
    ("v2: quota", 2, {"cpu.stat": "usage_usec 1\nnr_periods 5\nnr_throttled 2\nthrottled_usec 3000000\n", "cpu.max": "5000 100000\n"}, {
        "container_cpu_cfs_periods_total": "5",
        "container_cpu_cfs_throttled_periods_total": "2",
        "container_cpu_cfs_throttled_seconds_total": "3",
        "container_cpu_cfs_burst_periods_total": None,
        "container_spec_cpu_quota": "5000",
        "container_spec_cpu_period": "100000",
    }),
    ("v2: no quota, no throttling", 2, {"cpu.stat": "usage_usec 1\nnr_periods 5\n", "cpu.max": "max 100000\n", "cpu.weight": "100\n"}, {
        "container_cpu_cfs_periods_total": None,
        "container_spec_cpu_quota": None,
        "container_spec_cpu_shares": "2597",
        'container_cpu_usage_seconds_total{cpu="total"}': "1e-06",
    }),
    ("v1: ticks, nanoseconds, no quota", 1, {
        "cpuacct/cpuacct.usage": "2500000000\n",
        "cpuacct/cpuacct.stat": "user 150\nsystem 100\n",
        "cpu/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
        "cpu/cpu.cfs_quota_us": "-1\n",
        "cpu/cpu.shares": "512\n",
    }, {
        "container_cpu_user_seconds_total": "1.5",
        "container_cpu_system_seconds_total": "1",
        "container_cpu_cfs_periods_total": None,
        "container_spec_cpu_quota": None,
        "container_spec_cpu_shares": "512",
    }),
    ("v1: each CPU instead of the sum", 1, {"cpuacct/cpuacct.usage": "5\n", "cpuacct/cpuacct.usage_percpu": "1000000000 2000000000 \n"}, {
        'container_cpu_usage_seconds_total{cpu="cpu00"}': "1",
        'container_cpu_usage_seconds_total{cpu="cpu01"}': "2",
        'container_cpu_usage_seconds_total{cpu="total"}': None,
    }),
    ("v1: limits beyond 2^62 are none", 1, {
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/memory.soft_limit_in_bytes": "1048576\n",
        "memory/memory.usage_in_bytes": "1\n",
    }, {
        "container_spec_memory_limit_bytes": "0",
        "container_spec_memory_reservation_limit_bytes": "1048576",
        "container_spec_memory_swap_limit_bytes": None,
    }),
    ("v2: max is no limit", 2, {"memory.max": "max\n", "memory.swap.max": "0\n", "pids.max": "max\n", "pids.current": "7\n"}, {
        "container_spec_memory_limit_bytes": "0",
        "container_spec_memory_swap_limit_bytes": "0",
        "container_threads": "7",
        "container_threads_max": "0",
    }),
    ("v2: memory, negative and wrapped numbers are absent", 2, {
        "memory.stat": "anon -5\nfile 3\nfile_dirty 2\nkernel 9\npgfault 4\npgmajfault 1\npgscan 6\npgsteal 18446744073709551615\n"
        "inactive_file 1\n",
        "memory.current": "100\n",
        "memory.events": "low 0\nhigh 2\nmax 3\noom 1\noom_kill 1\n",
        "memory.peak": "200\n",
    }, {
        "container_memory_rss": None,
        "container_memory_cache": "3",
        "container_memory_kernel_usage": "9",
        "container_memory_working_set_bytes": "99",
        "container_memory_max_usage_bytes": "200",
        "container_memory_failcnt": "3",
        "container_memory_events_high_total": "2",
        'container_memory_failures_total{failure_type="pgmajfault",scope="hierarchy"}': "1",
        "container_memory_pgscan_total": "6",
        "container_memory_pgsteal_total": None,
        "container_memory_swap": None,
        "container_oom_events_total": "1",
    }),
    ("v1: kills of memory.oom_control; old kernels have none", 1, {
        "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n",
        "memory/memory.usage_in_bytes": "1\n",
    }, {"container_oom_events_total": None}),
    ("v2: pressure without full for CPUs (5.12 and older)", 2, {
        "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n",
        "io.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=cut",
    }, {
        "container_pressure_cpu_waiting_seconds_total": "1.5",
        "container_pressure_cpu_stalled_seconds_total": None,
        "container_pressure_io_waiting_seconds_total": "1e-06",
        "container_pressure_io_stalled_seconds_total": None,
        "container_pressure_memory_waiting_seconds_total": None,
    }),
    ("v1: NUMA pages of both scopes; cpuset", 1, {
        "memory/memory.numa_stat": "total=3 N0=1 N1=2\nfile=3 N0=1 N1=2\nhierarchical_file=7 N0=3 N1=4\n",
        "memory/memory.usage_in_bytes": "1\n",
        "cpuset/cpuset.memory_migrate": "1\n",
    }, {
        'container_memory_numa_pages{type="file",scope="container",node="1"}': "2",
        'container_memory_numa_pages{type="file",scope="hierarchy",node="0"}': "3",
        "container_memory_migrate": "1",
    }),
]


@pytest.mark.parametrize(("version", "files", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_files_of_a_container(tmp_path: Path, version: int, files: dict[str, str], wanted: dict[str, Any]) -> None:
    """Each number is where it belongs, and what the kernel does not say (None) has no sample."""
    pages = page(tree(tmp_path, version, files))
    found = samples(pages.page())
    assert {name: found.get(name) for name in wanted} == wanted
    assert not pages.sampler.errors and not pages.failures
    pages.sampler.close()


@pytest.mark.parametrize(("version", "prefix"), [(1, "hugetlb/"), (2, "")])
def test_huge_pages(tmp_path: Path, version: int, prefix: str) -> None:
    """Sizes are those that the node has; reservations are preferred; v2 has no peak."""
    for size in ("hugepages-2048kB", "hugepages-1048576kB", "hugepages-64kB"):
        (tmp_path / "sys/kernel/mm/hugepages" / size).mkdir(parents=True)
    usage, count = ("usage_in_bytes", "failcnt") if version == 1 else ("current", "events")
    files = {
        f"{prefix}hugetlb.2MB.{usage}": "1\n",
        f"{prefix}hugetlb.2MB.rsvd.{usage}": "4096\n",
        f"{prefix}hugetlb.1GB.{usage}": "8192\n",
        f"{prefix}hugetlb.1GB.{count}": "3\n" if version == 1 else "max 3\n",
        "memory/memory.usage_in_bytes" if version == 1 else "memory.current": "1\n",
    }
    if version == 1:
        files[f"{prefix}hugetlb.1GB.max_usage_in_bytes"] = "16384\n"
    pages = page(tree(tmp_path / "cgroup", version, files), sys=str(tmp_path / "sys"))
    found = {name: number for name, number in samples(pages.page()).items() if "hugetlb" in name}
    peaks = {'container_hugetlb_max_usage_bytes{pagesize="1GB"}': "16384"} if version == 1 else {}
    assert found == {
        **peaks,
        'container_hugetlb_usage_bytes{pagesize="1GB"}': "8192",
        'container_hugetlb_usage_bytes{pagesize="2MB"}': "4096",
        'container_hugetlb_failcnt{pagesize="1GB"}': "3",
    }
    pages.sampler.close()


def test_root_of_v2(tmp_path: Path) -> None:
    """The root has the node's memory and swap, which its cgroup does not tell, its boot as start, and /proc/pressure."""
    proc = tmp_path / "proc"
    (proc / "pressure").mkdir(parents=True)
    (proc / "pressure/cpu").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\n")
    (proc / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nSwapTotal: 500 kB\nSwapFree: 400 kB\n")
    (proc / "stat").write_text("cpu 1 2 3\nbtime 1700000000\n")
    files = {"memory.stat": "anon 10\nfile 20\ninactive_file 5\n"}
    pages = page(tree(tmp_path / "cgroup", 2, files, "."), proc=str(proc))
    found = samples(pages.page(), "/")
    del found["container_last_seen"]
    assert {name: number for name, number in found.items() if number != "0"} == {
        "container_memory_usage_bytes": "30",
        "container_memory_working_set_bytes": "25",
        "container_memory_cache": "20",
        "container_memory_rss": "10",
        "container_memory_total_inactive_file_bytes": "5",
        "container_memory_swap": "102400",
        "container_spec_memory_limit_bytes": "1024000",
        "container_spec_memory_swap_limit_bytes": "512000",
        "container_pressure_cpu_waiting_seconds_total": "2",
        "container_start_time_seconds": "1700000000",
        "container_creation_time_seconds": "1700000000",
    }
    pages.sampler.close()


def test_threads_and_kills_of_the_root_of_v2(tmp_path: Path) -> None:
    """The root's threads and kills are the node's; the list of the latter is longer than a page."""
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "loadavg").write_text("0.00 0.01 0.05 2/1234 5678\n")
    (proc / "vmstat").write_text("".join(f"nr_{number} 0\n" for number in range(2000)) + "oom_kill 57\noom_kill_other 3\n")
    pages = page(tree(tmp_path / "cgroup", 2, {"memory.stat": "anon 10\n"}, "."), proc=str(proc))
    found = samples(pages.page(), "/")
    assert found["container_threads"] == "1234" and found["container_oom_events_total"] == "57"
    assert "container_threads_max" not in found
    (proc / "vmstat").write_text("nr_free_pages 1\n")
    (proc / "loadavg").write_text("cut")
    found = samples(pages.page(), "/")
    assert "container_threads" not in found and "container_oom_events_total" not in found
    pages.sampler.close()


def test_root_that_is_a_cgroup_itself(tmp_path: Path) -> None:
    """In a cgroup namespace the root has its own usage and threads: they are not the node's."""
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "loadavg").write_text("0.00 0.01 0.05 2/1234 5678\n")
    (proc / "meminfo").write_text("MemTotal: 1000 kB\n")
    files = {"memory.stat": "anon 10\nfile 20\n", "memory.current": "64\n", "pids.current": "5\n", "pids.max": "max\n"}
    pages = page(tree(tmp_path / "cgroup", 2, {**files, "memory.events": "oom_kill 3\n"}, "."), proc=str(proc))
    found = samples(pages.page(), "/")
    assert (found["container_memory_usage_bytes"], found["container_threads"], found["container_threads_max"]) == ("64", "5", "0")
    assert found["container_oom_events_total"] == "3"
    pages.sampler.close()


def test_offline_cpus(tmp_path: Path) -> None:
    """CPUs that are possible but not online have no time, except what they used before."""
    online = tmp_path / "sys/devices/system/cpu/online"
    online.parent.mkdir(parents=True)
    online.write_text("0,2-3\n")
    files = {"cpuacct/cpuacct.usage_percpu": "1000000000 2000000000 0 18446744073709551615 0 0 \n"}
    pages = page(tree(tmp_path / "cgroup", 1, files), sys=str(tmp_path / "sys"))
    found = {name: value for name, value in samples(pages.page()).items() if name.startswith("container_cpu_usage")}
    assert found == {f'container_cpu_usage_seconds_total{{cpu="cpu0{cpu}"}}': value for cpu, value in ((0, "1"), (1, "2"), (2, "0"))}
    pages.sampler.close()


def test_start_is_that_of_the_oldest_process(tmp_path: Path) -> None:
    """Start of the container's first process, in a nested cgroup as crun creates it; its name may contain brackets."""
    proc = tmp_path / "proc"
    (proc / "7").mkdir(parents=True)
    (proc / "stat").write_text("btime 1700000000\n")
    (proc / "7" / "stat").write_text(f"7 (a) b) S {' '.join(['0'] * 18)} 4200 0 0\n")
    root = tree(tmp_path / "cgroup", 2, {"cpu.stat": "usage_usec 1\n", "cgroup.procs": ""})
    (root / POD / "container").mkdir()
    (root / POD / "container" / "cgroup.procs").write_text("7\n8\n0\n")
    pages = page(root, proc=str(proc))
    assert samples(pages.page())["container_start_time_seconds"] == "1700000042"
    pages.sampler.close()


def test_hybrid_takes_each_controller_from_where_it_is(tmp_path: Path) -> None:
    """Memory on v1, io on v2: one container with both."""
    tree(tmp_path, 1, {"memory/memory.usage_in_bytes": "5\n", "memory/memory.stat": "total_cache 3\n"})
    tree(tmp_path / "unified", 2, {"io.stat": "8:0 rbytes=1 wbytes=2\n", "cpu.stat": "usage_usec 1000000\n"})
    (tmp_path / "unified" / "cgroup.controllers").write_text("io\n")
    pages = page(tmp_path)
    found = samples(pages.page())
    assert found["container_memory_usage_bytes"] == "5" and found["container_memory_cache"] == "3"
    assert found['container_fs_reads_bytes_total{device="8:0"}'] == "1"
    assert found['container_cpu_usage_seconds_total{cpu="total"}'] == "1"
    pages.sampler.close()
