"""Counters of network namespaces: each pod's own, once, whatever becomes of the processes that they are read from."""

from __future__ import annotations

import gc
import os
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.process import PROCESS_ENDED, Process
from telegen.cadvisor.collectors.network import parse
from telegen.cadvisor.collectors.tcp import count_states
from telegen.cadvisor.collectors.udp import sum_sockets
from telegen.cadvisor.node import ContainerFacts, Node, Roots
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages
from tests.cadvisor.proc import HEADING, end, interface, process
from tests.cadvisor.test_collectors import samples

UID = "d4c3b2a1f0e9d8c7b6a5948372615040"
POD = f"/kubepods/pod{UID}"
SANDBOX, APP = "aa" * 32, "bb" * 32
RECEIVED = re.compile(r'^container_network_receive_bytes_total{.*id="([^"]*)".*interface="eth0"} (.*)$', re.MULTILINE)


class Sandboxes(ContainerFacts):
    """Facts that a test sets."""

    def __init__(self, ids: set[str]) -> None:
        self.ids = ids

    def is_sandbox(self, cgroup: Cgroup) -> bool:
        """One of the given containers."""
        return cgroup.container_id in self.ids


class Host:
    """A v2 hierarchy and a /proc."""

    def __init__(self, root: Path, settings: Cadvisor = Cadvisor()) -> None:
        self.cgroups, self.proc = root / "cgroup", root / "proc"
        self.cgroups.mkdir()
        self.proc.mkdir()
        (self.cgroups / "cgroup.controllers").write_text("pids\n")
        self.sandboxes = set[str]()
        node = Node(Roots(str(self.cgroups), str(self.proc), str(root)), facts=Sandboxes(self.sandboxes))
        self.pages = Pages(node, settings)

    def container(self, path: str, *pids: int) -> None:
        """A container with these processes, or what it has now."""
        folder = self.cgroups / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))

    def shown(self) -> dict[str, str]:
        """Cgroup to received bytes of eth0, after one more pass."""
        return dict(RECEIVED.findall(self.pages.page()))

    def errors(self) -> dict[str, int]:
        """Errors since the start, by reason."""
        return dict(self.pages.sampler.errors)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host with nothing on it."""
    host = Host(tmp_path)
    yield host
    host.pages.sampler.close()


def test_columns() -> None:
    """Each family has its own column; what only passes on traffic, and lines of another form, are left out."""
    lines = [interface(name, 7) for name in ("lo", "eth0", "vethab", "Docker0", "nerdctl0", "cali1", "local0", "br:1")]
    content = HEADING + "".join(lines) + "  eth9: 1 2 3\n eth8: " + "x " * 16 + "\ngarbage\n" + interface("eth7", 1)[:-4]
    reading = parse(content.encode(), Context(Cgroup("/", "root"), Node()))
    assert reading.receive_bytes == [(name, 700) for name in ("eth0", "cali1", "local0", "br:1")]
    assert {name: rows[0][1] for name, rows in reading._asdict().items()} == {
        "receive_bytes": 700,
        "receive_packets": 701,
        "receive_errors": 702,
        "receive_dropped": 703,
        "transmit_bytes": 708,
        "transmit_packets": 709,
        "transmit_errors": 710,
        "transmit_dropped": 711,
    }


def test_root_is_the_first_process(host: Host) -> None:
    """The node's own interfaces are those of its first process."""
    process(host.proc, 1, "/init.scope", interface("eth0", 3))
    assert host.shown() == {"/": "300"}


def test_pod_until_the_sandbox_is_known(host: Host) -> None:
    """A pod's network is shown once: on the pod, then on its sandbox from the pass on in which it is known."""
    host.container(f"{POD}/{SANDBOX}", 10)
    host.container(f"{POD}/{APP}", 11)
    for pid, container in ((10, SANDBOX), (11, APP)):
        process(host.proc, pid, f"{POD}/{container}", interface("eth0", 5))
    assert host.shown() == {POD: "500"}
    host.sandboxes.add(SANDBOX)
    assert host.shown() == {f"{POD}/{SANDBOX}": "500"}
    assert host.shown() == {f"{POD}/{SANDBOX}": "500"}


@pytest.mark.parametrize(("sandboxes", "shown"), [({SANDBOX}, f"{POD}/{SANDBOX}"), (set(), POD)])
def test_container_that_was_mistaken_for_the_sandbox(host: Host, sandboxes: set[str], shown: str) -> None:
    """Once a container is known not to be the sandbox, it no longer shows the pod's network; the sandbox or the pod does."""
    host.container(f"{POD}/{SANDBOX}", 10)
    host.container(f"{POD}/{APP}", 11)
    for pid, container in ((10, SANDBOX), (11, APP)):
        process(host.proc, pid, f"{POD}/{container}", interface("eth0", 5))
    host.sandboxes |= {APP}
    assert host.shown() == {f"{POD}/{APP}": "500"}
    host.sandboxes ^= sandboxes | {APP}
    assert host.shown() == host.shown() == {shown: "500"}


def test_pod_without_a_sandbox(host: Host) -> None:
    """A runtime that keeps no sandbox (CRI-O) has the pod's network on the pod, read from any of its processes, those
    in inner cgroups included."""
    host.container(f"{POD}/crio-{APP}.scope")
    host.container(f"{POD}/crio-{APP}.scope/container", 11)
    process(host.proc, 11, f"{POD}/crio-{APP}.scope/container", interface("eth0", 5))
    assert host.shown() == {POD: "500"}


def test_sandbox_without_a_process(host: Host) -> None:
    """A sandbox that is known but has no process (CRI-O may keep none) leaves the pod's network to the pod."""
    host.sandboxes.add(SANDBOX)
    host.container(f"{POD}/{SANDBOX}")
    host.container(f"{POD}/{APP}", 11)
    process(host.proc, 11, f"{POD}/{APP}", interface("eth0", 5))
    assert host.shown() == host.shown() == {POD: "500"}


def test_container_outside_pods(host: Host) -> None:
    """A container of plain Docker has its own network."""
    host.container(f"/docker/{APP}", 11)
    process(host.proc, 11, f"/docker/{APP}", interface("eth0", 5))
    assert host.shown() == {f"/docker/{APP}": "500"}


def test_sandbox_that_is_started_again(host: Host) -> None:
    """A new sandbox in the old pod takes over."""
    host.sandboxes |= {SANDBOX, APP}
    host.container(f"{POD}/{SANDBOX}", 10)
    process(host.proc, 10, f"{POD}/{SANDBOX}", interface("eth0", 5))
    assert host.shown() == {f"{POD}/{SANDBOX}": "500"}
    end(host.proc, 10)
    host.container(f"{POD}/{SANDBOX}")
    host.container(f"{POD}/{APP}", 20)
    process(host.proc, 20, f"{POD}/{APP}", interface("eth0", 1))
    assert host.shown() == {f"{POD}/{APP}": "100"}


def test_reused_number_is_not_believed(host: Host) -> None:
    """The number of an ended process belongs to another pod's by now, and the list of processes does not say so yet:
    nothing is shown, neither the other's counters nor old ones."""
    host.container(f"{POD}/{SANDBOX}", 10)
    process(host.proc, 10, f"{POD}/{SANDBOX}", interface("eth0", 5))
    assert host.shown() == {POD: "500"}
    process(host.proc, 10, f"/docker/{APP}", interface("eth0", 9))
    assert host.shown() == {}
    process(host.proc, 10, f"{POD}/{SANDBOX}", interface("eth0", 6))
    assert host.shown() == {POD: "600"}
    assert not host.errors()


def test_another_process_steps_in(host: Host) -> None:
    """After the end of the process that was read, the pod's next process is read in the same pass."""
    host.container(f"{POD}/{APP}", 10, 11)
    for pid in (10, 11):
        process(host.proc, pid, f"{POD}/{APP}", interface("eth0", pid))
    assert host.shown() == {POD: "1000"}
    end(host.proc, 10)
    assert host.shown() == {POD: "1100"}


def test_process_that_leaves_its_namespace(host: Host) -> None:
    """A process that has gone to another network namespace does not stand for its pod any more."""
    host.container(f"{POD}/{APP}", 10, 11)
    for pid in (10, 11):
        process(host.proc, pid, f"{POD}/{APP}", interface("eth0", pid), ns__net="")
    assert host.shown() == {POD: "1000"}
    other = process(host.proc, 99, "/", ns__net="") / "ns/net"
    (host.proc / "10/ns/net").unlink()
    (host.proc / "10/ns/net").hardlink_to(other)
    end(host.proc, 99)
    (host.cgroups / POD[1:] / APP / "cgroup.procs").write_text("11\n")
    assert host.shown() == {POD: "1100"}


def test_five_hundred_namespaces(host: Host) -> None:
    """In every pass each of 500 pods has its own counters or none, while processes end and numbers are dealt anew."""
    pods = [f"/kubepods/pod{number:032x}" for number in range(500)]
    dealt = random.Random(5)
    numbers = list(range(10, 1010))
    for _ in range(3):
        dealt.shuffle(numbers)
        ended = set(dealt.sample(range(500), 50))
        for pid in numbers:
            end(host.proc, pid)
        for number, pod in enumerate(pods):
            path = f"{pod}/{number:064x}"
            host.container(path, numbers[number])
            if number not in ended:
                process(host.proc, numbers[number], path, interface("eth0", number))
        shown = host.shown()
        assert shown == {pod: str(number * 100) for number, pod in enumerate(pods) if number not in ended}
    assert not host.errors()


def test_held_folders_are_let_go(host: Host) -> None:
    """No folder stays open when its pod has gone."""
    # What other tests have left to the garbage collector is not to go meanwhile.
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    host.container(f"/docker/{APP}", 10)
    process(host.proc, 10, f"/docker/{APP}", interface("eth0", 5))
    host.shown()
    (host.cgroups / "docker" / APP / "cgroup.procs").unlink()
    (host.cgroups / "docker" / APP).rmdir()
    assert host.shown() == {}
    host.pages.sampler.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_permission(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may not be looked at is counted; the others are shown."""
    for number, pid in ((1, 10), (2, 11)):
        host.container(f"/docker/{number:064x}", pid)
        process(host.proc, pid, f"/docker/{number:064x}", interface("eth0", number))
    opened = os.open

    def refuse(path: str, *args: int, **kwargs: int) -> int:
        if str(path).endswith("/proc/10"):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *args, **kwargs)

    monkeypatch.setattr("telegen.cadvisor.cgroups.process.os.open", refuse)
    assert host.shown() == {f"/docker/{2:064x}": "200"}
    assert host.errors()["EACCES"] == 1


def test_namespace_that_may_not_be_known(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CAP_SYS_PTRACE the namespace's number is refused; counters are shown all the same."""
    asked = os.stat

    def refuse(path: str, *args: int, **kwargs: int) -> os.stat_result:
        if path == "ns/net":
            raise PermissionError(13, "Permission denied", path)
        return asked(path, *args, **kwargs)

    process(host.proc, 1, "/", interface("eth0", 3))
    monkeypatch.setattr("telegen.cadvisor.cgroups.process.os.stat", refuse)
    assert host.shown() == {"/": "300"}


def test_real_process() -> None:
    """The kernel's own /proc: a process is read as long as it lives, and answers that it has ended from then on."""
    child = subprocess.Popen(["sleep", "60"])
    try:
        opened = Process(f"/proc/{child.pid}", Cgroup("/", "root"))
        assert opened.read("net/dev", 1 << 20).count(b":") == Path("/proc/self/net/dev").read_text().count(":")
        with pytest.raises(ProcessLookupError):
            Process(f"/proc/{child.pid}", Cgroup(f"/docker/{APP}", "container", "", APP))
    finally:
        child.kill()
        child.wait()
    with pytest.raises(OSError) as refused:
        opened.read("net/dev", 1 << 20)
    assert refused.value.errno in PROCESS_ENDED
    opened.close()


TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1123 1 00000000 100 0 0 10 0
   1: 0100007F:B359 0100007F:E1BC 06 00000000:00000000 03:00001151 00000000     0        0 0 3 00000000f78671dd
   2: 0100007F:B359 0100007F:E1EC 06 00000000:00000000 03:00001164 00000000     0        0 0 3 000000003074f72c
   3: 0100007F:B359 0100007F:E1EC 0C 00000000:00000000 03:00001164 00000000     0        0 0 3 000000003074f72c
   4: 0100007F:B3
"""
UDP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  10: 00000000:0044 00000000:0000 07 00000010:00000020 00:00000000 00000000     0        0 99 2 0000000000000000 3
  11: 00000000:0045 00000000:0000 07 00000001:00000002 00:00000000 00000000     0        0 98 2 0000000000000000 4
  12: 00000000:0045 00000000:0000 07
"""


def test_tcp_states() -> None:
    """Sockets by state, in the kernel's order; unknown states and cut lines are passed over."""
    assert count_states(TCP.encode()) == (0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0)


def test_udp_sums() -> None:
    """Sockets, drops and queues (hexadecimal, what is to be sent stands first)."""
    assert sum_sockets(UDP.encode()) == (2, 7, 34, 17)


@pytest.mark.parametrize("has_ipv6", [True, False])
def test_groups_of_sockets(tmp_path: Path, has_ipv6: bool) -> None:
    """tcp, udp and advtcp where they are asked for; what this kernel does not have (IPv6) is absent."""
    host = Host(tmp_path, Cadvisor(enabled_metrics=("tcp", "udp", "advtcp")))
    snmp = "Tcp: RtoAlgorithm MaxConn\nTcp: 1 -1\nUdp: NoPorts\nUdp: 8\n"
    netstat = "TcpExt: SyncookiesSent TCPTimeouts Odd\nTcpExt: 9 27 x\nIpExt: InOctets\nIpExt: 5\n"
    optional = {"net__tcp6": TCP, "net__udp6": UDP} if has_ipv6 else {}
    process(host.proc, 1, "/", net__tcp=TCP, net__udp=UDP, **optional, net__snmp=snmp, net__netstat=netstat)
    found = {name: value for name, value in samples(host.pages.page(), "/").items() if "_network_" in name}
    assert found['container_network_tcp_usage_total{tcp_state="timewait"}'] == "2"
    assert found['container_network_tcp_usage_total{tcp_state="established"}'] == "0"
    assert found['container_network_udp_usage_total{udp_state="dropped"}'] == "7"
    assert (found.get('container_network_tcp6_usage_total{tcp_state="timewait"}') == "2") == has_ipv6
    assert (found.get('container_network_udp6_usage_total{udp_state="dropped"}') == "7") == has_ipv6
    advanced = "container_network_advance_tcp_stats_total"
    assert {name.partition('"')[2][:-2]: value for name, value in found.items() if name.startswith(advanced)} == {
        "rtoalgorithm": "1",
        "maxconn": "-1",
        "syncookiessent": "9",
        "tcptimeouts": "27",
    }
    assert len(found) == (11 + 4) * (1 + has_ipv6) + 4
    assert not host.errors()
