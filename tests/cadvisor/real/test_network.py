"""Network counters of real namespaces, which the tests make, against the kernel's own at the other end."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import pytest

from tests.cadvisor.real.cgroups import OwnCgroup
from tests.cadvisor.real.test_cgroups import told
from tests.cadvisor.real.view import Key, View
from tests.process_tree import wait_for

PACKETS, PAYLOAD = 200, 1000
ON_THE_WIRE = PAYLOAD + 8 + 20 + 14
"""UDP, IPv4 and Ethernet headers."""
SLACK = 40
"""Packets that the kernel sends by itself: ARP, neighbour discovery, multicast."""

SENDER = f"""if True:
    import socket, sys
    print(flush=True)
    sys.stdin.readline()
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range({PACKETS}): out.sendto(bytes({PAYLOAD}), ("192.0.2.2", 9))
    print(flush=True)
    sys.stdin.readline()"""


def go(process: subprocess.Popen[bytes]) -> None:
    """Let a program of ours go on, until it has printed its next line."""
    assert process.stdin
    process.stdin.write(b"\n")
    process.stdin.flush()
    told(process)


def inside(pid: int, *command: str) -> str:
    """Run a command in the network namespace of a process."""
    done = subprocess.run(["nsenter", "-t", str(pid), "-n", *command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def is_up(pid: int) -> bool:
    """Return True if packets are no longer dropped without being counted: the queue is attached some time after the carrier is on."""
    link = inside(pid, "ip", "link", "show", "eth0")
    return "state UP" in link and "qdisc noop " not in link


def network(samples: dict[Key, float], name: str) -> dict[str, float]:
    """A counter by interface."""
    return {key[1]: value for key, value in samples.items() if key[0] == f"container_network_{name}_total"}


def test_traffic_over_a_veth_pair(view: View) -> None:
    """Bytes sent by one pod equal bytes received by the other."""
    with ExitStack() as stack:
        one, two = OwnCgroup(), OwnCgroup()
        stack.callback(one.end)
        stack.callback(two.end)
        sender = one.start(["unshare", "-n", sys.executable, "-c", SENDER])
        receiver = two.start(["unshare", "-n", sys.executable, "-c", SENDER])
        told(sender)
        told(receiver)
        peer = ["peer", "name", "eth0", "netns", str(receiver.pid)]
        inside(sender.pid, "ip", "link", "add", "eth0", "type", "veth", *peer)
        for number, process in enumerate((sender, receiver), 1):
            inside(process.pid, "ip", "addr", "add", f"192.0.2.{number}/24", "dev", "eth0")
            # Packets that wait for ARP are dropped without being counted if there are many.
            inside(process.pid, "ip", "link", "set", "eth0", "arp", "off", "up")
            inside(process.pid, "ip", "link", "set", "lo", "up")
        wait_for("the link", lambda: all(is_up(process.pid) for process in (sender, receiver)), 20)
        before = view.of(one.pod)
        go(sender)
        sent, received = view.of(one.pod), view.of(two.pod)
        moved = network(sent, "transmit_packets")["eth0"] - network(before, "transmit_packets")["eth0"]
        assert PACKETS <= moved <= PACKETS + SLACK
        moved = network(sent, "transmit_bytes")["eth0"] - network(before, "transmit_bytes")["eth0"]
        assert PACKETS * ON_THE_WIRE <= moved <= PACKETS * ON_THE_WIRE + SLACK * 100
        assert network(received, "receive_bytes")["eth0"] == pytest.approx(network(sent, "transmit_bytes")["eth0"], abs=4000)
        assert network(received, "receive_packets")["eth0"] >= PACKETS
        assert set(network(received, "receive_bytes")) == {"eth0"}
        assert not network(view.of(one.id), "receive_bytes"), "the pod's network is shown once"


def test_namespaces_are_not_mixed_up(view: View) -> None:
    """Each of several pods has its own counters, before and after half of them have ended and others have come."""
    code = """if True:
        import socket, subprocess, sys, time
        subprocess.run("ip link add eth0 type veth peer name veth1 && ip addr add 192.0.2.1/24 dev eth0 && "
            "ip link set eth0 arp off && ip link set eth0 up && ip link set veth1 up", shell=True, check=True)
        # The kernel attaches the queue some time after the carrier is on, and drops packets without counting them until then.
        while "state UP" not in (link := subprocess.getoutput("ip link show eth0")) or "qdisc noop " in link: time.sleep(0.01)
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(int(sys.argv[1])): out.sendto(bytes(100), ("192.0.2.2", 9))
        print(flush=True)
        sys.stdin.readline()"""
    with ExitStack() as stack:

        def start(packets: int) -> OwnCgroup:
            pod = OwnCgroup()
            stack.callback(pod.end)
            told(pod.start(["unshare", "-n", sys.executable, "-c", code, str(packets)]))
            return pod

        pods = {packets: start(packets) for packets in range(0, 600, 100)}
        for _ in range(2):
            page = view.all()
            for packets, pod in pods.items():
                sent = network(page[pod.pod], "transmit_packets")
                assert set(sent) == {"eth0", "veth1"} and packets <= sent["eth0"] <= packets + SLACK
            for packets in list(pods)[::2]:
                pods.pop(packets).end()
                pods[packets + 600] = start(packets + 600)
