"""Reader of the kernel's tables of sockets, shared by the collectors `tcp` and `udp`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.context import Context
from telegen.cadvisor.collectors._netns_process import read_network

LIMIT = 32 << 20
"""Maximum size of a table in bytes, about 200,000 sockets. A longer table is not shown, since a part of it is a wrong count."""


class SocketsReading(NamedTuple):
    """Numbers of a network namespace for IPv4 and IPv6, in the order of the family's labels; None without the protocol."""

    v4: Optional[tuple[int, ...]]
    v6: Optional[tuple[int, ...]]


def tables(v4: str, v6: str, count: Callable[[bytes], tuple[int, ...]]) -> Callable[[Context], Optional[SocketsReading]]:
    """Return a read function that counts two tables of /proc/PID/net.

    Counted there rather than by `parse`: a table can be long and is never equal to the last one, so it is not kept.
    """

    def read(context: Context) -> Optional[SocketsReading]:
        reading = SocketsReading(*[_read_table(context, name, count) for name in (v4, v6)])
        return None if reading == (None, None) else reading

    return read


def table_rows(content: bytes, minimum: int) -> Iterator[list[bytes]]:
    """Words of each line after the heading; lines with fewer words than `minimum` are skipped."""
    for line in content.split(b"\n")[1:]:
        words = line.split()
        if len(words) >= minimum:
            yield words


def labelled(labels: tuple[str, ...], numbers: Optional[tuple[int, ...]]) -> Optional[list[tuple[str, int]]]:
    """Rows of label and number."""
    return None if numbers is None else list(zip(labels, numbers))


def _read_table(context: Context, name: str, count: Callable[[bytes], tuple[int, ...]]) -> Optional[tuple[int, ...]]:
    content = read_network(context, f"net/{name}", LIMIT)
    return None if content is None else count(content)
