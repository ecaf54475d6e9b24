"""A synthetic node: control files and /proc of any number of containers, two per pod, for cgroup v1 or v2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STAT_V2 = (
    "anon file kernel kernel_stack pagetables sec_pagetables percpu sock vmalloc shmem zswap zswapped file_mapped file_dirty "
    "file_writeback swapcached anon_thp file_thp shmem_thp inactive_anon active_anon inactive_file active_file unevictable "
    "slab_reclaimable slab_unreclaimable slab workingset_refault_anon workingset_refault_file workingset_activate_anon "
    "workingset_activate_file workingset_restore_anon workingset_restore_file workingset_nodereclaim pgscan pgsteal "
    "pgscan_kswapd pgscan_direct pgsteal_kswapd pgsteal_direct pgfault pgmajfault pgrefill pgactivate pgdeactivate "
    "pglazyfree pglazyfreed zswpin zswpout thp_fault_alloc thp_collapse_alloc"
).split()
STAT_V1 = (
    "cache rss rss_huge shmem mapped_file dirty writeback workingset_refault_anon workingset_refault_file swap pgpgin pgpgout "
    "pgfault pgmajfault inactive_anon active_anon inactive_file active_file unevictable"
).split()
PRESSURE = "some avg10=0.00 avg60=0.00 avg300=0.00 total={0}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total={0}\n"


def files(version: int, number: int, usage: int) -> dict[str, str]:
    """Return the control files of a cgroup: `controller/name` for v1, `name` for v2. `usage` changes the counters."""
    if version == 1:
        stat = "".join(f"{key} {number * 10 + place + usage}\n" for place, key in enumerate(STAT_V1))
        io = f"8:0 Read {4096 * usage}\n8:0 Write {8192 * usage}\n8:0 Total {12288 * usage}\nTotal {12288 * usage}\n"
        return {
            "cpu,cpuacct/cpuacct.usage": f"{number * 1000 + usage}\n",
            "cpu,cpuacct/cpuacct.stat": f"user {usage}\nsystem {usage}\n",
            "cpu,cpuacct/cpu.stat": f"nr_periods {usage}\nnr_throttled 0\nthrottled_time 0\n",
            "cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "cpu,cpuacct/cpu.shares": "512\n",
            "memory/memory.stat": stat + "".join(f"total_{line}\n" for line in stat.splitlines()),
            "memory/memory.usage_in_bytes": f"{4096 * (number + usage)}\n",
            "memory/memory.max_usage_in_bytes": f"{8192 * number}\n",
            "memory/memory.failcnt": "0\n",
            "memory/memory.kmem.usage_in_bytes": "4096\n",
            "memory/memory.limit_in_bytes": "134217728\n",
            "memory/memory.memsw.limit_in_bytes": "134217728\n",
            "memory/memory.soft_limit_in_bytes": "9223372036854771712\n",
            "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
            "blkio/blkio.throttle.io_service_bytes_recursive": io,
            "blkio/blkio.throttle.io_serviced_recursive": io,
            "pids/pids.current": "2\n",
            "pids/pids.max": "max\n",
        }
    return {
        "cpu.stat": f"usage_usec {number * 1000 + usage}\nuser_usec {usage}\nsystem_usec {usage}\nnr_periods {usage}\nnr_throttled 0\n"
        "throttled_usec 0\nnr_bursts 0\nburst_usec 0\n",
        "cpu.max": "50000 100000\n",
        "cpu.weight": "20\n",
        "memory.stat": "".join(f"{key} {number * 10 + place + usage}\n" for place, key in enumerate(STAT_V2)),
        "memory.current": f"{4096 * (number + usage)}\n",
        "memory.peak": f"{8192 * number}\n",
        "memory.swap.current": "0\n",
        "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
        "memory.max": "134217728\n",
        "memory.swap.max": "0\n",
        "memory.min": "0\n",
        "io.stat": f"8:0 rbytes={4096 * usage} wbytes={8192 * usage} rios={usage} wios={usage} dbytes=0 dios=0\n",
        "pids.current": "2\n",
        "pids.max": "max\n",
        "cpu.pressure": PRESSURE.format(usage),
        "memory.pressure": PRESSURE.format(0),
        "io.pressure": PRESSURE.format(usage),
        "cgroup.events": "populated 1\nfrozen 0\n",
    }


@dataclass(frozen=True)
class Node:
    """A folder with the roots `cgroup`, `proc`, `sys` and `host`."""

    root: Path
    version: int
    containers: int

    def cgroups(self) -> Iterator[tuple[int, str]]:
        """Yield number and path of each cgroup: slices, pods, two containers per pod."""
        yield 0, "kubepods.slice"
        yield 1, "kubepods.slice/kubepods-burstable.slice"
        for pod in range((self.containers + 1) // 2):
            uid = f"{pod:08x}_0000_4000_8000_{pod:012x}"
            path = f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice"
            yield 2 + 3 * pod, path
            for container in range(min(2, self.containers - 2 * pod)):
                yield 3 + 3 * pod + container, f"{path}/cri-containerd-{pod * 2 + container:064x}.scope"

    def write(self, usage: int = 1) -> None:
        """Write the files; a new `usage` changes the counters."""
        for number, path in self.cgroups():
            for name, content in files(self.version, number, usage).items():
                folder, _, name = name.rpartition("/")
                place = self.root / "cgroup" / folder / path
                place.mkdir(parents=True, exist_ok=True)
                (place / name).write_text(content)
            if path.endswith(".scope"):
                self._process(number + 1000, path)
        if self.version == 2:
            (self.root / "cgroup" / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
        self._system()

    def _process(self, pid: int, path: str) -> None:
        """Write the process of a container."""
        folders = [""] if self.version == 2 else ["cpu,cpuacct", "memory", "pids"]
        for folder in folders:
            (self.root / "cgroup" / folder / path / "cgroup.procs").write_text(f"{pid}\n")
        proc = self.root / "proc" / str(pid)
        (proc / "net").mkdir(parents=True, exist_ok=True)
        (proc / "fd").mkdir(exist_ok=True)
        (proc / "stat").write_text(f"{pid} (sleep) S 1 {' '.join(['0'] * 17)} {pid} 0 0\n")
        (proc / "cgroup").write_text(f"0::/{path}\n")
        limits = "Max open files            1024                 4096                 files\n"
        (proc / "limits").write_text(f"Limit                     Soft Limit           Hard Limit           Units\n{limits}")
        layer = f"/layers/{pid}"
        (self.root / "host" / layer[1:]).mkdir(parents=True, exist_ok=True)
        (proc / "mountinfo").write_text(f"1 0 0:40 / / rw - overlay overlay rw,lowerdir=/lower,upperdir={layer},workdir=/work\n")
        (proc / "net" / "dev").write_text(
            "Inter-|   Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 7 7 0 0 0 0 0 0 7 7 0 0 0 0 0 0\n"
        )

    def _system(self) -> None:
        proc = self.root / "proc"
        proc.mkdir(parents=True, exist_ok=True)
        (self.root / "sys" / "devices").mkdir(parents=True, exist_ok=True)
        (self.root / "host" / "etc").mkdir(parents=True, exist_ok=True)
        (proc / "stat").write_text("cpu 1 2 3\nbtime 1700000000\n")
        (proc / "meminfo").write_text("MemTotal: 16000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n")
