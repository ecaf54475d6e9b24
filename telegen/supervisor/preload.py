"""Modules that only some plans need. The parent imports them before it forks, so that their memory is shared."""

from __future__ import annotations

import codecs
from collections.abc import Collection
from importlib import import_module

from telegen.process.tls_warmup import warm_up_tls
from workers import worker_class
from workers._base import SERVERS

MODULES = {"push": ("workers._push.loop", "telegen.otlp.http"), "events": ("workers._events.loop",)}
"""Modules that a kind of worker imports only when it runs."""
GUNICORN = (
    *("email.utils", "gunicorn.asgi.lifespan", "gunicorn.asgi.protocol", "gunicorn.asgi.websocket", "gunicorn.dirty.pidfile"),
    *("gunicorn.instrument.statsd", "gunicorn.sock", "tempfile"),
)
"""Modules that gunicorn imports at their first use. The user of web processes may not reach the interpreter's folders; and an import after
the fork writes to the strings of all modules, 2 MB."""
CODECS = ("ascii", "idna", "latin-1", "unicode_escape")
"""Codecs that the standard library imports at their first use."""
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
    for name in CODECS:
        codecs.lookup(name)
    if SERVERS & set(kinds):
        for module in GUNICORN:
            import_module(module)
        # PERF: 1.7 MB of every process. gunicorn formats a length that is not in the table; pages have no chunks.
        import_module("gunicorn.asgi.protocol")._CHUNK_PREFIXES.clear()
