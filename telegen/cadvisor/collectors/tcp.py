"""TCP sockets by state (/proc/PID/net/tcp and tcp6, https://docs.kernel.org/networking/proc_net_tcp.html).

Opt-in: the kernel walks all sockets for these files.
"""

from __future__ import annotations

from telegen.cadvisor.collector import Collector, Families, already_parsed
from telegen.cadvisor.collectors._netns_process import KINDS
from telegen.cadvisor.collectors._sockets import SocketsReading, labelled, table_rows, tables

STATES = (
    "established",
    "synsent",
    "synrecv",
    "finwait1",
    "finwait2",
    "timewait",
    "close",
    "closewait",
    "lastack",
    "listen",
    "closing",
)
"""States by the kernel's numbers (include/net/tcp_states.h); the first is 1."""

family = Families(SocketsReading)

FAMILIES = (
    family.gauge(
        "container_network_tcp_usage_total",
        "TCP sockets over IPv4 by state (/proc/PID/net/tcp).",
        lambda reading: labelled(STATES, reading.v4),
        "tcp_state",
    ),
    family.gauge(
        "container_network_tcp6_usage_total",
        "TCP sockets over IPv6 by state (/proc/PID/net/tcp6).",
        lambda reading: labelled(STATES, reading.v6),
        "tcp_state",
    ),
)


def count_states(content: bytes) -> tuple[int, ...]:
    """Count the sockets in each of STATES."""
    counts = [0] * len(STATES)
    for words in table_rows(content, 12):
        state = int(words[3], 16)
        if 1 <= state <= len(STATES):
            counts[state - 1] += 1
    return tuple(counts)


COLLECTOR = Collector("tcp", "tcp", FAMILIES, tables("tcp", "tcp6", count_states), already_parsed, KINDS, opt_in=True)
