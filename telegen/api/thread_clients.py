"""Clients of threads that share an object: a client holds one connection at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from telegen.api.client import Client


class ThreadClients:
    """Makes a client for each thread that asks for one."""

    def __init__(self, make_client: Callable[[], Client]) -> None:
        self._make_client, self._of_thread = make_client, threading.local()

    @property
    def current(self) -> Client:
        """Client of the calling thread."""
        if not hasattr(self._of_thread, "client"):
            self._of_thread.client = self._make_client()
        client: Client = self._of_thread.client
        return client
