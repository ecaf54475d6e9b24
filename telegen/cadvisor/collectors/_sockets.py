"""Sockets and TCP's own counters of a network namespace: cAdvisor's groups `tcp`, `udp` and `advtcp`.

Off by default: the kernel walks all sockets for these files, so they cost what there is to list.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator

from telegen.cadvisor.cgroups.discovery import Kind
from telegen.cadvisor.collector import Context, Raw, Reading, Source, value
from telegen.cadvisor.collectors._netns_process import read_network
from telegen.metrics.family import ALPHA, FamilyGenerator, gauge

LIMIT = 32 << 20
"""Bytes: some 200,000 sockets. Of a longer list nothing is shown: half of it would be a wrong number."""

TCP_STATES = (
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
"""In the kernel's order (include/net/tcp_states.h): the first is 1."""

KINDS: frozenset[Kind] = frozenset(("root", "pod", "container"))


def _tcp(name: str, version: str) -> FamilyGenerator:
    help = f"TCP sockets over {version}, by state."
    return gauge(f"container_network_{name}_usage_total", help, ALPHA, value(name), "tcp_state")


def _udp(name: str, version: str) -> FamilyGenerator:
    help = f"UDP over {version}: open sockets, packets that they dropped, bytes in their queues."
    return gauge(f"container_network_{name}_usage_total", help, ALPHA, value(name), "udp_state")


TCP_FAMILIES = (_tcp("tcp", "IPv4"), _tcp("tcp6", "IPv6"))
UDP_FAMILIES = (_udp("udp", "IPv4"), _udp("udp6", "IPv6"))
ADVANCED_FAMILIES = (
    gauge(
        "container_network_advance_tcp_stats_total",
        "TCP's own counters and settings, by the names that the kernel gives them.",
        ALPHA,
        value("fields"),
        "tcp_state",
    ),
)


def read_tcp(context: Context) -> Raw:
    """Sockets by state, for IPv4 and IPv6; None for what the kernel does not have."""
    return _of_both(context, ("tcp", "tcp6"), count_states)


def read_udp(context: Context) -> Raw:
    """(sockets, drops, bytes to be received, bytes to be sent), for IPv4 and IPv6."""
    return _of_both(context, ("udp", "udp6"), sum_udp)


def read_advanced(context: Context) -> Raw:
    """net/netstat and net/snmp."""
    netstat = read_network(context, "net/netstat", LIMIT)
    return None if netstat is None else (netstat, read_network(context, "net/snmp", LIMIT) or b"")


def count_states(content: bytes) -> tuple[int, ...]:
    """How many rows of net/tcp are in each of `TCP_STATES`; rows in another state are passed over."""
    counts = [0] * (len(TCP_STATES) + 1)
    for words in _rows(content, 12):
        state = int(words[3], 16)
        if 0 < state < len(counts):
            counts[state] += 1
    return tuple(counts[1:])


def sum_udp(content: bytes) -> tuple[int, ...]:
    """(rows, drops, receive queues, transmit queues) of net/udp."""
    count = drops = receive = transmit = 0
    for words in _rows(content, 13):
        to_send, _, to_receive = words[4].partition(b":")
        count += 1
        drops += int(words[-1])
        receive += int(to_receive, 16)
        transmit += int(to_send, 16)
    return count, drops, receive, transmit


def parse_tcp(raw: tuple[tuple[int, ...] | None, ...], context: Context) -> Reading:
    """Rows of state and sockets."""
    return _labelled(raw, ("tcp", "tcp6"), TCP_STATES)


def parse_udp(raw: tuple[tuple[int, ...] | None, ...], context: Context) -> Reading:
    """Rows of what is counted and the count."""
    return _labelled(raw, ("udp", "udp6"), ("listen", "dropped", "rxqueued", "txqueued"))


def parse_advanced(raw: tuple[bytes, bytes], context: Context) -> Reading:
    """fields: rows of a field's name, in lower case, and its number."""
    netstat, snmp = raw
    found = {**_pairs(snmp, "Tcp:"), **_pairs(netstat, "TcpExt:")}
    return {"fields": [(name.lower(), number) for name, number in found.items()]}


TCP = Source("tcp", "tcp", TCP_FAMILIES, read_tcp, parse_tcp, kinds=KINDS)
UDP = Source("udp", "udp", UDP_FAMILIES, read_udp, parse_udp, kinds=KINDS)
ADVANCED = Source("advtcp", "advtcp", ADVANCED_FAMILIES, read_advanced, parse_advanced, kinds=KINDS)


def _of_both(context: Context, names: tuple[str, str], count: Callable[[bytes], tuple[int, ...]]) -> Raw:
    found = []
    for name in names:
        content = read_network(context, f"net/{name}", LIMIT)
        if content is not None and len(content) == LIMIT:
            context.node.count(OSError(errno.EFBIG, os.strerror(errno.EFBIG), name))
            content = None
        # Only the counts are kept: lists are long, and no two of them are alike.
        found.append(None if content is None else count(content))
    return tuple(found) if any(one is not None for one in found) else None


def _rows(content: bytes, least: int) -> Iterator[list[bytes]]:
    """The words of each socket's line, without the heading; lines of fewer words than `least` are passed over."""
    for line in content.split(b"\n")[1:]:
        words = line.split()
        if len(words) >= least:
            yield words


def _labelled(raw: tuple[tuple[int, ...] | None, ...], names: tuple[str, str], labels: tuple[str, ...]) -> Reading:
    return {name: list(zip(labels, counts)) for name, counts in zip(names, raw) if counts is not None}


def _pairs(content: bytes, prefix: str) -> dict[str, int]:
    """A protocol of net/snmp or net/netstat: a line of names and one of numbers, both behind `prefix`."""
    lines = [line.split() for line in content.decode("ascii", "replace").split("\n")]
    lines = [words[1:] for words in lines if words and words[0] == prefix]
    if len(lines) != 2:
        return {}
    return {name: int(number) for name, number in zip(*lines) if number.lstrip("-").isdigit()}
