"""A network of the tests' own, whose addresses are no loopback ones: an EndpointSlice takes no others."""

from __future__ import annotations

import contextlib
import ctypes
import subprocess
from collections.abc import Iterable, Iterator

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def own_network(addresses: Iterable[str]) -> Iterator[None]:
    """Move this thread, and the processes and threads that it starts from now on, to a new network; return at the end.

    Args:
        addresses: of its only interface, besides 127.0.0.1.
    """
    with open("/proc/thread-self/ns/net", "rb") as before:
        _check(_libc.unshare(CLONE_NEWNET), "unshare")
        try:
            for command in ("link set lo up", *(f"address add {one}/32 dev lo" for one in addresses)):
                subprocess.run(["ip", *command.split()], check=True, timeout=60)
            yield
        finally:
            _check(_libc.setns(before.fileno(), CLONE_NEWNET), "setns")


def _check(status: int, call: str) -> None:
    if status:
        raise OSError(ctypes.get_errno(), call)
