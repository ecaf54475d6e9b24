"""Hardware of the machine, from its files; a value that they lack is absent."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.parsing import ranges
from telegen.cadvisor.collectors.machine import make
from telegen.cadvisor.node import Node, Roots
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages

CPU = "processor\t: {}\nphysical id\t: {}\nsiblings\t: 2\ncore id\t\t: {}\n\n"
TWO_SOCKETS = "".join(CPU.format(cpu, cpu // 4, cpu % 4 // 2) for cpu in range(8))

FILES = {
    "host/etc/machine-id": "3d1219c7c4c5404aaa1f6d2a48adfda4\n",
    "proc/sys/kernel/random/boot_id": "e8ea0d82-5ba5-43c5-b175-1237c610f02d\n",
    "proc/cpuinfo": TWO_SOCKETS,
    "proc/meminfo": "MemTotal:       1024 kB\nMemFree: 1 kB\nSwapTotal:       8 kB\n",
    "sys/class/dmi/id/product_uuid": "4c4c4544-0050\n",
    "sys/devices/system/cpu/online": "0-6,7\n",
    "sys/devices/system/edac/mc/mc0/dimm0/dimm_mem_type": "Registered-DDR4\n",
    "sys/devices/system/edac/mc/mc0/dimm0/size": "16384\n",
    "sys/devices/system/edac/mc/mc1/dimm3/dimm_mem_type": "Registered-DDR4\n",
    "sys/devices/system/edac/mc/mc1/dimm3/size": "8192\n",
    "sys/devices/system/edac/mc/mc1/dimm4/dimm_mem_type": "Unbuffered-DDR4\n",
    "sys/devices/system/edac/mc/mc1/dimm4/size": "1\n",
    "sys/bus/nd/devices/region0/size": "4096\n",
    "cgroup/cgroup.controllers": "cpu\n",
    **{f"sys/devices/system/cpu/cpu{cpu}/topology/core_id": f"{cpu // 2}\n" for cpu in range(4)},
    **{f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list": f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}\n" for cpu in range(4)},
    **{f"sys/devices/system/cpu/cpu{cpu}/cache/index0/size": "32K\n" for cpu in range(4)},
    **{f"sys/devices/system/cpu/cpu{cpu}/cache/index0/type": "Data\n" for cpu in range(4)},
    **{f"sys/devices/system/cpu/cpu{cpu}/cache/index0/level": "1\n" for cpu in range(4)},
    **{f"sys/devices/system/cpu/cpu{cpu}/cache/index0/shared_cpu_list": f"{cpu}\n" for cpu in range(4)},
    **{f"sys/devices/system/cpu/cpu{cpu}/cache/index3/size": "8M\n" for cpu in range(4)},
    **{f"sys/devices/system/cpu/cpu{cpu}/cache/index3/type": "Unified\n" for cpu in range(4)},
    **{f"sys/devices/system/cpu/cpu{cpu}/cache/index3/level": "3\n" for cpu in range(4)},
    **{f"sys/devices/system/cpu/cpu{cpu}/cache/index3/shared_cpu_list": f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}\n" for cpu in range(4)},
    "sys/devices/system/node/node0/cpulist": "0-1\n",
    "sys/devices/system/node/node2/cpulist": "2-3\n",
    "sys/devices/system/node/node0/meminfo": "Node 0 MemTotal:  7 kB\n",
    "sys/devices/system/node/node2/meminfo": "Node 2 MemTotal:  9 kB\n",
    "sys/devices/system/node/node0/distance": "10 21\n",
    "sys/devices/system/node/node2/distance": "21 10\n",
    "sys/devices/system/node/node2/hugepages/hugepages-2048kB/nr_hugepages": "5\n",
}

IDS = 'machine_id="3d1219c7c4c5404aaa1f6d2a48adfda4",system_uuid="4c4c4544-0050",boot_id="e8ea0d82-5ba5-43c5-b175-1237c610f02d"'


def machine(root: Path, files: dict[str, str], settings: Cadvisor = Cadvisor()) -> dict[str, str]:
    """The machine's samples of a folder with these files: family, with its own labels, to number."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    node = Node(Roots(*(str(root / name) for name in ("cgroup", "proc", "sys", "host"))))
    lines = [line.rpartition(" ") for line in Pages(node, settings).page().split("\n") if line.startswith("machine_")]
    return {name.replace(f"{{{IDS}}}", "").replace(f"{IDS},", ""): value for name, _, value in lines}


def test_everything_there(tmp_path: Path) -> None:
    """Cores are counted per socket, modules per type, memory in bytes; no s390x, no books."""
    assert machine(tmp_path, FILES) == {
        "machine_cpu_cores": "8",
        "machine_cpu_physical_cores": "4",
        "machine_cpu_sockets": "2",
        "machine_cpu_books": "0",
        "machine_cpu_drawers": "0",
        "machine_memory_bytes": "1048576",
        "machine_swap_bytes": "8192",
        'machine_dimm_count{type="Registered-DDR4"}': "2",
        'machine_dimm_count{type="Unbuffered-DDR4"}': "1",
        'machine_dimm_capacity_bytes{type="Registered-DDR4"}': str(24576 << 20),
        'machine_dimm_capacity_bytes{type="Unbuffered-DDR4"}': str(1 << 20),
        'machine_nvm_capacity{mode="app_direct_mode"}': "4096",
        "machine_scrape_error": "0",
    }


def test_topology(tmp_path: Path) -> None:
    """Caches by core, those of a whole node without one; distances to the nodes by their ids."""
    found = machine(tmp_path, FILES, Cadvisor(enabled_metrics=("cpu_topology",), disabled_metrics=("machine",)))
    cache = 'machine_cpu_cache_capacity_bytes{node_id="%s",core_id="%s",type="%s",level="%s"}'
    assert found == {
        **{cache % (node, core, "Data", "1"): "32768" for node, core in (("0", "0"), ("2", "1"))},
        **{cache % (node, "", "Unified", "3"): str(8 << 20) for node in ("0", "2")},
        **{
            f'machine_thread_siblings_count{{node_id="{cpu // 2 * 2}",core_id="{cpu // 2}",thread_id="{cpu}"}}': "2"
            for cpu in range(4)
        },
        'machine_node_memory_capacity_bytes{node_id="0"}': "7168",
        'machine_node_memory_capacity_bytes{node_id="2"}': "9216",
        'machine_node_hugepages_count{node_id="2",page_size="2048"}': "5",
        'machine_node_distance{node_id="0",target_node_id="0"}': "10",
        'machine_node_distance{node_id="0",target_node_id="2"}': "21",
        'machine_node_distance{node_id="2",target_node_id="0"}': "21",
        'machine_node_distance{node_id="2",target_node_id="2"}': "10",
    }


TOPOLOGY = "sys/devices/system/cpu/cpu{}/topology/{}"


def cpus(online: str, *each: dict[str, object], offline: dict[str, object] = {}) -> dict[str, str]:
    """Files of CPUs without cores or sockets in cpuinfo: the topology of each, and that of one more that is offline."""
    files = {TOPOLOGY.format(cpu, name): f"{id}\n" for cpu, ids in enumerate((*each, offline)) for name, id in ids.items()}
    processors = "".join(f"processor\t: {cpu}\nBogoMIPS\t: 50.00\n\n" for cpu in range(len(each)))
    return {**files, "proc/cpuinfo": processors, "sys/devices/system/cpu/online": online, "cgroup/cgroup.controllers": "cpu\n"}


MACHINES = {
    "ARM server, whose firmware names no package": (
        cpus("0-3\n", *[{"core_id": cpu, "physical_package_id": -1} for cpu in range(4)]),
        ("4", "4", "1"),
    ),
    "ARM with the same core ids in two clusters": (
        cpus("0-3\n", *[{"core_id": cpu % 2, "cluster_id": cpu // 2, "physical_package_id": -1} for cpu in range(4)]),
        ("4", "4", "1"),
    ),
    "two sockets": (
        cpus("0-3\n", *[{"core_id": cpu % 2, "physical_package_id": cpu // 2} for cpu in range(4)]),
        ("4", "4", "2"),
    ),
    "two threads per core, one CPU offline": (
        cpus(
            "0-3\n",
            *[{"core_id": 0, "physical_package_id": 0, "thread_siblings_list": f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}"} for cpu in range(4)],
            offline={"core_id": 9, "physical_package_id": 7, "thread_siblings_list": "4"},
        ),
        ("4", "2", "1"),
    ),
    "topology without numbers": (cpus("0-1\n", {"core_siblings_list": "0"}, {"core_siblings_list": "1"}), ("2", None, None)),
    "no topology": (cpus("0-1\n", {}, {}), ("2", None, None)),
}


@pytest.mark.parametrize(("files", "wanted"), MACHINES.values(), ids=MACHINES)
def test_machine_without_cores_in_cpuinfo(
    tmp_path: Path, files: dict[str, str], wanted: tuple[str | None, str | None, str | None]
) -> None:
    """CPUs, cores and sockets are distinct ids of the online CPUs; what is unknown is absent, never 0."""
    found = {name.partition("{")[0]: value for name, value in machine(tmp_path, files).items()}
    names = ("machine_cpu_cores", "machine_cpu_physical_cores", "machine_cpu_sockets")
    assert tuple(found.get(name) for name in names) == wanted


def test_nothing_there(tmp_path: Path) -> None:
    """Without files there is only the word that something could not be read."""
    assert machine(tmp_path, {"cgroup/cgroup.controllers": "cpu\n"}) == {"machine_scrape_error": "1"}


def test_other_collectors_of_the_ids(tmp_path: Path) -> None:
    """Without DMI the device tree names the system, else the machine's id does."""
    files = {name: FILES[name] for name in ("host/etc/machine-id", "cgroup/cgroup.controllers", "proc/cpuinfo")}
    assert 'system_uuid="3d1219c7c4c5404aaa1f6d2a48adfda4"' in next(iter(machine(tmp_path, files)))
    files["proc/device-tree/vm,uuid"] = "abc\0"
    assert 'system_uuid="abc"' in next(iter(machine(tmp_path, files)))


def test_linked_machine_id(tmp_path: Path) -> None:
    """A link of the host leads to the host's file."""
    files = {**FILES, "host/persist/machine-id": FILES["host/etc/machine-id"]}
    del files["host/etc/machine-id"]
    (tmp_path / "host/etc").mkdir(parents=True)
    (tmp_path / "host/etc/machine-id").symlink_to("/persist/machine-id")
    assert machine(tmp_path, files) == machine(tmp_path / "plain", FILES)


@pytest.mark.parametrize(("text", "wanted"), [("0-2,8\n", [0, 1, 2, 8]), ("", []), ("3", [3]), ("\n", [])])
def test_ranges(text: str, wanted: list[int]) -> None:
    """Lists as the kernel writes them."""
    assert ranges(text) == wanted


def test_read_again_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that came since is seen at the next look, not before."""
    (tmp_path / "meminfo").write_text("MemTotal: 1 kB\n")
    collector, context = make(Cadvisor(), frozenset()), Context(None, Node(Roots(proc=str(tmp_path))))  # type: ignore[arg-type]
    monkeypatch.setattr("telegen.cadvisor.collectors._machine_files.time.monotonic", lambda: 100.0)
    assert collector.read(context).memory == 1024
    (tmp_path / "meminfo").write_text("MemTotal: 2 kB\n")
    assert collector.read(context).memory == 1024
    monkeypatch.setattr("telegen.cadvisor.collectors._machine_files.time.monotonic", lambda: 160.0)
    assert collector.read(context).memory == 2048


def test_this_machine() -> None:
    """The kernel's own files, against psutil."""
    found = make(Cadvisor(), frozenset()).read(Context(None, Node()))  # type: ignore[arg-type]
    assert found.cpus == psutil.cpu_count() and found.cores == psutil.cpu_count(logical=False)
    assert found.memory == psutil.virtual_memory().total and found.swap == psutil.swap_memory().total
    assert found.identity.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
