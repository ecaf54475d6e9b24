"""Listening sockets. The supervisor opens them, and the web workers inherit them and accept connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

from telegen.config import Config
from telegen.config.settings import value_at
from telegen.config.types import ListenAddress
from telegen.process.os_process import BootFailure, Exit

Listeners = dict[str, "socket.socket | None"]
"""Listening socket by the path of its setting, such as `kube_metrics.listen_address`; None if the setting is null."""

BIND_TIME = 3.0
"""Seconds for which a taken port is retried: the children of a killed agent need a moment to close it."""

UNSENT = 64 << 10
"""Bytes of a response that the kernel takes beyond what it may send now."""
_TCP_NOTSENT_LOWAT = 25
"""tcp(7); Python's socket module names it only on some builds."""


def open_listener(config: Config, setting: str) -> socket.socket | None:
    """Open the listening socket of a setting: on all addresses, IPv4 and IPv6, if the setting names no host.

    Args:
        setting: path of the setting.

    Raises:
        BootFailure: the address is taken, not of this host, or its port needs privileges.
    """
    address: ListenAddress | None = value_at(config, setting)
    if address is None:
        return None
    deadline = time.monotonic() + BIND_TIME
    while True:
        try:
            listener = _listen(address.host, address.port)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                where = f"{address.host or '*'}:{address.port}"
                raise BootFailure(
                    Exit.PORT, f"cannot listen on {where}: {error.strerror}; set {setting} to another address"
                ) from error
        time.sleep(0.1)
    # Connections inherit it: a client that does not read costs the kernel 64 KiB instead of 4 MB.
    listener.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT)
    return listener


def rebind(listeners: Listeners, before: Config, config: Config) -> Listeners:
    """Open the addresses of a new configuration, then close those that it no longer has.

    Args:
        listeners: sockets of the configuration `before`.

    Returns:
        The sockets of the new configuration; unchanged addresses keep theirs.

    Raises:
        BootFailure: a new address cannot be opened; the old sockets stay open.
    """
    fresh: Listeners = {}
    try:
        for setting in listeners:
            if value_at(config, setting) != value_at(before, setting):
                fresh[setting] = open_listener(config, setting)
    except BootFailure:
        close_all(fresh)
        raise
    close_all({setting: listeners[setting] for setting in fresh})
    return {**listeners, **fresh}


def addresses(listeners: Mapping[str, socket.socket | None]) -> str:
    """Format the addresses for the log: `127.0.0.1 port 9443`."""
    names = [listener.getsockname() for listener in listeners.values() if listener]
    return " and ".join(f"{name[0]} port {name[1]}" for name in names)


def close_all(listeners: Mapping[str, socket.socket | None]) -> None:
    """Close all sockets."""
    for listener in listeners.values():
        if listener:
            listener.close()


def _listen(host: str, port: int) -> socket.socket:
    # One dual-stack socket serves IPv4 and IPv6, unless the kernel was started without IPv6.
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)
