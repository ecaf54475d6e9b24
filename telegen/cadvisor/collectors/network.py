"""Counters of network interfaces (/proc/PID/net/dev, proc_pid_net(5))."""

from __future__ import annotations

from typing import NamedTuple

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.cgroups.reading import MAX_BYTES
from telegen.cadvisor.collector import Collector, Families
from telegen.cadvisor.collectors._netns_process import KINDS, is_node_network, read_network

SKIPPED = ("veth", "docker", "nerdctl")
"""Prefixes of the node's interfaces that forward the traffic of containers, which other interfaces count."""

COLUMNS = 16

Rows = list[tuple[str, int]]
"""Rows of interface and count."""


class NetworkReading(NamedTuple):
    """Counters of net/dev for each interface, by name of the column."""

    receive_bytes: Rows
    receive_packets: Rows
    receive_errors: Rows
    receive_dropped: Rows
    transmit_bytes: Rows
    transmit_packets: Rows
    transmit_errors: Rows
    transmit_dropped: Rows


family = Families(NetworkReading)

FAMILIES = (
    family.counter(
        "container_network_receive_bytes_total", "Bytes received (/proc/PID/net/dev).", lambda reading: reading.receive_bytes, "interface"
    ),
    family.counter(
        "container_network_receive_packets_total",
        "Packets received (/proc/PID/net/dev).",
        lambda reading: reading.receive_packets,
        "interface",
    ),
    family.counter(
        "container_network_receive_packets_dropped_total",
        "Received packets that were dropped (/proc/PID/net/dev).",
        lambda reading: reading.receive_dropped,
        "interface",
    ),
    family.counter(
        "container_network_receive_errors_total",
        "Receive errors (/proc/PID/net/dev).",
        lambda reading: reading.receive_errors,
        "interface",
    ),
    family.counter(
        "container_network_transmit_bytes_total", "Bytes sent (/proc/PID/net/dev).", lambda reading: reading.transmit_bytes, "interface"
    ),
    family.counter(
        "container_network_transmit_packets_total",
        "Packets sent (/proc/PID/net/dev).",
        lambda reading: reading.transmit_packets,
        "interface",
    ),
    family.counter(
        "container_network_transmit_packets_dropped_total",
        "Packets dropped before they were sent (/proc/PID/net/dev).",
        lambda reading: reading.transmit_dropped,
        "interface",
    ),
    family.counter(
        "container_network_transmit_errors_total",
        "Transmit errors (/proc/PID/net/dev).",
        lambda reading: reading.transmit_errors,
        "interface",
    ),
)


def read(context: Context) -> bytes | None:
    """Read net/dev of a process in the cgroup's network namespace."""
    return read_network(context, "net/dev", MAX_BYTES)


def parse(content: bytes, context: Context) -> NetworkReading:
    """Parse the lines after the two headings. Lines that are truncated or malformed are skipped."""
    # A container may give its own interface any name.
    skipped = SKIPPED if is_node_network(context) else ()
    interfaces: dict[str, list[int]] = {}
    for line in content.decode("utf-8", "replace").split("\n")[2:]:
        # A name may contain colons (`eth0:1`), the numbers do not.
        name, _, numbers = line.rpartition(":")
        name, words = name.strip(), numbers.split()
        if len(words) == COLUMNS and all(map(str.isdigit, words)) and _is_shown(name, skipped):
            interfaces[name] = [int(word) for word in words]

    def column(number: int) -> Rows:
        return [(name, numbers[number]) for name, numbers in interfaces.items()]

    return NetworkReading(column(0), column(1), column(2), column(3), column(8), column(9), column(10), column(11))


COLLECTOR = Collector("network", "network", FAMILIES, read, parse, KINDS)


def _is_shown(name: str, skipped: tuple[str, ...]) -> bool:
    return name not in ("", "lo") and not name.lower().startswith(skipped)
