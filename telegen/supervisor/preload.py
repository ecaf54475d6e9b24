"""Modules that only some plans need. The parent imports them before it forks, so that their memory is shared."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module

from telegen.process.tls_warmup import warm_up_tls
from workers import worker_class
from workers._base import SERVERS

MODULES = {"push": ("workers._push.loop", "telegen.otlp.http"), "events": ("workers._events.loop",)}
"""Modules that a kind of worker imports only when it runs."""
WITH_TLS = frozenset(("adapter", "poll"))
"""Kinds of workers that always use TLS. For the API server's, see `telegen.api.credentials.prepare`."""


def preload(kinds: Collection[str]) -> None:
    """Import what workers of some kinds need. PERF: takes 0.1 s, and saves the push worker 3 MB."""
    for kind in sorted(kinds):
        worker_class(kind)
        for module in MODULES.get(kind, ()):
            import_module(module)
    if WITH_TLS & set(kinds):
        warm_up_tls()
    if SERVERS & set(kinds):
        # PERF: 1.7 MB of every process. gunicorn formats a length that is not in the table; pages have no chunks.
        import_module("gunicorn.asgi.protocol")._CHUNK_PREFIXES.clear()
