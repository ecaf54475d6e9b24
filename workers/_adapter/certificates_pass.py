"""One pass of the process that keeps the certificates of the adapter; `certificates_loop` runs it in a process of its own."""

from __future__ import annotations

import logging
import time

import msgspec

from telegen.adapter.certificates.authorities import Lifetimes
from telegen.adapter.certificates.document import encode
from telegen.adapter.certificates.keeper import Keeper, Names, State
from telegen.adapter.certificates.serving_files import ServingFiles
from telegen.config import pod_namespace
from workers._adapter.certificates_loop import Passed
from workers._base import Shared
from workers._client_factory import make_client

READ_TIMEOUT = 10.0
"""Seconds without data after which a request has failed; each is answered at once."""


def run_pass(shared: Shared, state: bytes, log: logging.Logger) -> Passed:
    """Renew what is due.

    Args:
        state: of the last pass, b"" for the first one.
    """
    adapter = shared.config.adapter
    tls = adapter.tls
    keeper = Keeper(
        make_client(shared, read_timeout=READ_TIMEOUT),
        Names(pod_namespace(shared.environ), adapter.service, adapter.agents_service),
        adapter.groups,
        Lifetimes(tls.ca_lifetime, tls.lifetime, tls.propagation),
        ServingFiles(tls.cert_file, tls.key_file) if tls.cert_file else None,
        time.time,
        log,
        msgspec.msgpack.decode(state, type=State) if state else None,
    )
    found = keeper.run_pass()
    document, ends = (encode(found), keeper.ends(found)) if found else (b"", {})
    return Passed(document, ends, msgspec.msgpack.encode(keeper.state))
