"""UDP sockets, their drops and queues (/proc/PID/net/udp and udp6, proc_pid_net(5)).

Opt-in: the kernel walks all sockets for these files.
"""

from __future__ import annotations

from telegen.cadvisor.collector import Collector, Families, already_parsed
from telegen.cadvisor.collectors._netns_process import KINDS
from telegen.cadvisor.collectors._sockets import SocketsReading, labelled, table_rows, tables

STATES = ("listen", "dropped", "rxqueued", "txqueued")

family = Families(SocketsReading)

FAMILIES = (
    family.gauge(
        "container_network_udp_usage_total",
        "UDP over IPv4: open sockets, packets dropped by them, bytes in their queues (/proc/PID/net/udp).",
        lambda reading: labelled(STATES, reading.v4),
        "udp_state",
    ),
    family.gauge(
        "container_network_udp6_usage_total",
        "UDP over IPv6: open sockets, packets dropped by them, bytes in their queues (/proc/PID/net/udp6).",
        lambda reading: labelled(STATES, reading.v6),
        "udp_state",
    ),
)


def sum_sockets(content: bytes) -> tuple[int, ...]:
    """Sum up a table to (sockets, dropped packets, bytes to be received, bytes to be sent)."""
    count = drops = receive = transmit = 0
    for words in table_rows(content, 13):
        # Column 5 is tx_queue:rx_queue in hexadecimal, the last column is drops.
        to_send, _, to_receive = words[4].partition(b":")
        count += 1
        drops += int(words[-1])
        receive += int(to_receive, 16)
        transmit += int(to_send, 16)
    return count, drops, receive, transmit


COLLECTOR = Collector("udp", "udp", FAMILIES, tables("udp", "udp6", sum_sockets), already_parsed, KINDS, opt_in=True)
