"""Counters of network interfaces (/proc/PID/net/dev, proc(5)), as cAdvisor's group `network` has them."""

from __future__ import annotations

from telegen.cadvisor.collector import Context, Reading, Source, value
from telegen.cadvisor.collectors._netns_process import read_network
from telegen.metrics.family import ALPHA, counter

LIMIT = 1 << 20
"""Bytes: a node with a thousand interfaces has 130 kB."""

SKIPPED = ("veth", "docker", "nerdctl")
"""Interfaces that only pass on what others count, by how their names begin; and `lo`."""

FIELDS = (
    ("receive_bytes", 0, "Bytes received."),
    ("receive_packets", 1, "Packets received."),
    ("receive_packets_dropped", 3, "Received packets that were dropped."),
    ("receive_errors", 2, "Errors while receiving."),
    ("transmit_bytes", 8, "Bytes sent."),
    ("transmit_packets", 9, "Packets sent."),
    ("transmit_packets_dropped", 11, "Packets to be sent that were dropped."),
    ("transmit_errors", 10, "Errors while sending."),
)
"""Name, column behind the interface's name, help."""

COLUMNS = 16

FAMILIES = tuple(
    counter(f"container_network_{name}_total", help, ALPHA, value(name), "interface") for name, _, help in FIELDS
)


def read(context: Context) -> bytes | None:
    """The file of the process that stands for this cgroup's network (see `standin`)."""
    return read_network(context, "net/dev", LIMIT)


def parse(content: bytes, context: Context) -> Reading:
    """Rows of interface and count. A line that was cut short, or is of another form, is passed over."""
    rows: dict[str, list[int]] = {}
    for line in content.decode("utf-8", "replace").split("\n")[2:]:
        # A name may hold colons (`eth0:1`), numbers do not.
        name, _, numbers = line.rpartition(":")
        name, words = name.strip(), numbers.split()
        if len(words) == COLUMNS and all(map(str.isdigit, words)) and _shown(name):
            rows[name] = [int(word) for word in words]
    return {field: [(name, numbers[column]) for name, numbers in rows.items()] for field, column, _ in FIELDS}


SOURCE = Source("network", "network", FAMILIES, read, parse, kinds=frozenset(("root", "pod", "container")))


def _shown(name: str) -> bool:
    return name not in ("", "lo") and not name.lower().startswith(SKIPPED)
