"""TCP counters of a network namespace (/proc/PID/net/snmp and netstat,
https://docs.kernel.org/networking/snmp_counter.html). Opt-in, as in the kubelet."""

from __future__ import annotations

from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.collector import Collector, Families
from telegen.cadvisor.collectors._netns_process import KINDS, read_network
from telegen.cadvisor.collectors._sockets import LIMIT


class TcpFiles(NamedTuple):
    """Content of net/netstat and net/snmp."""

    netstat: bytes
    snmp: bytes


class AdvancedTcpReading(NamedTuple):
    """Rows of a field's name in lower case and its number."""

    fields: list[tuple[str, int]]


family = Families(AdvancedTcpReading)

FAMILIES = (
    family.gauge(
        "container_network_advance_tcp_stats_total",
        "TCP counters and settings by the kernel's name (Tcp of /proc/PID/net/snmp, TcpExt of /proc/PID/net/netstat).",
        lambda reading: reading.fields,
        "tcp_state",
    ),
)


def read(context: Context) -> Optional[TcpFiles]:
    netstat = read_network(context, "net/netstat", LIMIT)
    return None if netstat is None else TcpFiles(netstat, read_network(context, "net/snmp", LIMIT) or b"")


def parse(raw: TcpFiles, context: Context) -> AdvancedTcpReading:
    found = {**_fields(raw.snmp, "Tcp:"), **_fields(raw.netstat, "TcpExt:")}
    return AdvancedTcpReading([(name.lower(), number) for name, number in found.items()])


COLLECTOR = Collector("advtcp", "advtcp", FAMILIES, read, parse, KINDS, opt_in=True)


def _fields(content: bytes, prefix: str) -> dict[str, int]:
    """Parse the two lines of a protocol, names and numbers, which begin with `prefix`."""
    lines = [line.split() for line in content.decode("ascii", "replace").split("\n")]
    lines = [words[1:] for words in lines if words and words[0] == prefix]
    if len(lines) != 2:
        return {}
    return {name: int(number) for name, number in zip(*lines) if number.lstrip("-").isdigit()}
